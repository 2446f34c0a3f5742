import { useEffect, useMemo, useState } from "preact/hooks";
import { count, number, plural, removedText, shown as text } from "../format";
import { useKept, usePaced } from "../hooks";
import { Icon } from "../parts";
import type { Points, Source } from "../types";
import { MetricCard, type Bounds } from "./card";
import { swatch } from "./chart";
import { differing, paramsOf } from "./labels";
import { bestPlaces, filterOf, foldsOf, metricsOf, STEP, xOf, type Axis, type By, type Fold, type Panel, type Shown, type Together } from "./panels";
import { Texts } from "./texts";

const POINTS = 700;
/** Metrics that were reported once, and names of metrics to choose from, at most. */
const MOST = 200;

/** Curves by run, axis and series. */
export type Curves = Record<string, Points>;
export const curveKey = (run: string, x: string, series: number) => `${run}\u0000${x}\u0000${series}`;

export function Metrics({ source, runs: given }: { source: Source; runs: Shown[] }) {
  const [meanBy, setMeanBy] = useState("");
  const params = useMemo(() => differing(given.map((run) => paramsOf(run.details))), [given]);
  const runs = useMemo(() => grouped(given, meanBy), [given, meanBy]);
  const [kept, setAxis] = useKept<Axis>("axis", "auto");
  const [log, setLog] = useKept("log", false);
  const [smooth, setSmooth] = useKept("smooth", 0);
  const [cut, setCut] = useKept("cut", 0);
  const [by, setBy] = useKept<By>("group", "auto");
  const [together, setTogether] = useKept<Together>("together", "apart");
  const [filtered, setText] = useState("");
  const [more, setMore] = useState<Record<string, number>>({});
  const [toggled, setToggled] = useState<Record<string, boolean>>({});
  const [large, setLarge] = useState<string | null>(null);
  const [bounds, setBounds] = useState<Record<string, Bounds>>({});
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [zoom, setZoom] = useState<{ x: string; range: [number, number] } | null>(null);
  const [curves, setCurves] = useState<Curves>({});
  const [means, setMeans] = useState<Curves>({});
  const [failed, setFailed] = useState("");

  const metrics = useMemo(() => metricsOf(runs), [runs]);
  const names = useMemo(() => [...new Set(metrics.map((panel) => panel.name))].slice(0, MOST), [metrics]);
  const axis: Axis = kept.startsWith("metric:") && !names.includes(kept.slice("metric:".length)) ? "auto" : kept;
  const filter = useMemo(() => filterOf(filtered), [filtered]);
  const { folds, single } = useMemo(() => {
    const matching = metrics.filter(filter.matches);
    const isSingle = (panel: Panel) => panel.of.every((one) => one.series.count === 1);
    return { single: matching.filter(isSingle), folds: foldsOf(matching.filter((panel) => !isSingle(panel)), by, together) };
  }, [metrics, filter, by, together]);
  const open = openFolds(folds, toggled);
  const shownOf = (fold: Fold) => (open.has(fold.key) ? fold.panels.slice(0, more[fold.key] ?? STEP) : []);
  const drawn = folds.flatMap(shownOf);
  const wanted = runs.flatMap((run) => {
    const byX = new Map<string, number[]>();
    for (const panel of drawn) {
      for (const one of panel.of) if (one.run.id === run.id) byX.set(xOf(panel, axis), [...(byX.get(xOf(panel, axis)) ?? []), one.series.id]);
    }
    return [...byX].map(([x, series]) => ({ run, x, series: [...new Set(series)] }));
  });
  const state = JSON.stringify([wanted.map((one) => [one.run.id, one.run.details.version, one.x, one.series]), zoom, smooth > 0, cut]);

  const fetchThem = usePaced(async () => {
    try {
      await Promise.all(
        wanted.map(async ({ run, x, series }) => {
          const range = zoom?.x === x ? zoom.range : null;
          const from = x === "elapsed" ? run.details.begin : 0;
          const query = {
            series,
            points: POINTS,
            axis: x === "n" ? ("n" as const) : ("time" as const),
            ...(x.startsWith("metric:") ? { along: x.slice("metric:".length) } : {}),
            ...(range ? { begin: range[0] + from, end: range[1] + from } : {}),
          };
          const keyed = (found: Record<string, Points>) => Object.fromEntries(series.map((id) => [curveKey(run.id, x, id), found[id] ?? { t: [], v: [], n: [], x: [] }]));
          const [exact, mean] = await Promise.all([
            source.curves(run.id, { ...query, mean: false, ...(cut ? { cut } : {}) }),
            smooth > 0 ? source.curves(run.id, { ...query, mean: true }) : null,
          ]);
          setCurves((before) => ({ ...before, ...keyed(exact) }));
          if (mean) setMeans((before) => ({ ...before, ...keyed(mean) }));
        }),
      );
      setFailed("");
    } catch (error) {
      setFailed(String((error as Error).message));
    }
  }, 400);
  useEffect(fetchThem, [state]);
  useEffect(() => setZoom(null), [axis]);

  if (!metrics.length && runs.some((run) => run.details.metric_texts.length)) return <Texts runs={runs} matches={() => true} />;
  if (!metrics.length) return <p class="muted empty-line">{runs.some((run) => run.details.removed) ? removedText : "No metric has been reported."}</p>;
  const hide = (key: string) => setHidden((before) => new Set(before.has(key) ? [...before].filter((one) => one !== key) : [...before, key]));
  const any = drawn.length + single.length > 0 || folds.some((fold) => fold.panels.length > 0);
  return (
    <>
      <div class="tools metric-tools">
        {metrics.length > 6 && <input type="search" placeholder="Filter metrics (regular expression)" aria-label="Filter metrics" value={filtered} onInput={(event) => { setText(event.currentTarget.value); setMore({}); }} />}
        <label>
          <span class="muted">X</span>
          <select aria-label="Horizontal axis" value={axis} onChange={(event) => setAxis(event.currentTarget.value as Axis)}>
            <option value="auto">step or time</option>
            <option value="elapsed">time since start</option>
            <option value="clock">clock time</option>
            <option value="n">sample number</option>
            <optgroup label="a metric of the same call">
              {names.map((name) => <option key={name} value={`metric:${name}`}>{name}</option>)}
            </optgroup>
          </select>
        </label>
        <label class="slider">
          <span class="muted">Smoothing</span>
          <input type="range" min="0" max="0.99" step="0.01" value={smooth} onInput={(event) => setSmooth(Number(event.currentTarget.value))} />
          <output>{smooth ? smooth.toFixed(2) : "off"}</output>
        </label>
        <label class="check">
          <input type="checkbox" checked={log} onChange={(event) => setLog(event.currentTarget.checked)} />
          <span>Log scale</span>
        </label>
        <label>
          <span class="muted">Outliers</span>
          <select aria-label="Outliers" value={String(cut)} onChange={(event) => setCut(Number(event.currentTarget.value))}>
            <option value="0">shown</option>
            <option value="1">cut at 1% and 99%</option>
            <option value="5">cut at 5% and 95%</option>
          </select>
        </label>
        {metrics.length > 1 && (
          <>
            <label>
              <span class="muted">Groups</span>
              <select aria-label="Groups" value={by} onChange={(event) => setBy(event.currentTarget.value as By)}>
                <option value="auto">where many</option>
                <option value="none">none</option>
                <option value="category">by category</option>
                <option value="prefix">by prefix</option>
              </select>
            </label>
            <label>
              <span class="muted">In one chart</span>
              <select aria-label="In one chart" value={together} onChange={(event) => setTogether(event.currentTarget.value as Together)}>
                <option value="apart">one metric</option>
                <option value="name">a metric of all categories</option>
                <option value="group">all metrics of a group</option>
              </select>
            </label>
          </>
        )}
        {runs.length > 2 && (
          <label>
            <span class="muted">Runs</span>
            <select aria-label="Runs" value={meanBy} onChange={(event) => setMeanBy(event.currentTarget.value)}>
              <option value="">each</option>
              <option value="all">mean of all</option>
              {params.map((name) => <option key={name} value={`by:${name}`}>mean for each {name}</option>)}
            </select>
          </label>
        )}
        {zoom && <button type="button" class="quiet" onClick={() => setZoom(null)}>Show all</button>}
        {hidden.size > 0 && <button type="button" class="quiet" onClick={() => setHidden(new Set())}>Show {plural(hidden.size, "hidden line")}</button>}
        {filter.wrong && <span class="warn-text" role="status">This is no regular expression: it is searched for as it stands.</span>}
        {failed && <span class="bad-text">{failed}</span>}
      </div>
      <div class={folds.some((fold) => fold.title) ? "folds" : ""}>
        {folds.map((fold) => (
          <div key={fold.key} class={`fold-group ${open.has(fold.key) ? "open" : ""}`} data-group={fold.title}>
            {fold.title && (
              <button type="button" class="quiet fold-head" aria-expanded={open.has(fold.key)} title={fold.title} onClick={() => setToggled({ ...toggled, [fold.key]: !open.has(fold.key) })}>
                <span class="fold-mark"><Icon name="back" /></span>
                <span class="fold-title">{fold.title}</span>
                <span class="muted">{count(fold.panels.length)}</span>
              </button>
            )}
            {open.has(fold.key) && (
              <div class={`charts ${shownOf(fold).length <= 4 && fold.title ? "few" : shownOf(fold).length === 1 ? "one" : ""}`}>
                {shownOf(fold).map((panel) => {
                  const x = xOf(panel, axis);
                  return (
                    <MetricCard
                      key={panel.key}
                      source={source}
                      panel={panel}
                      many={runs.length > 1}
                      x={x}
                      log={log}
                      smooth={smooth}
                      cut={cut}
                      range={zoom?.x === x ? zoom.range : null}
                      onRange={(range) => setZoom(range && { x, range })}
                      curves={curves}
                      means={means}
                      bounds={bounds[panel.key] ?? [null, null]}
                      onBounds={(to) => setBounds({ ...bounds, [panel.key]: to })}
                      hidden={hidden}
                      onHide={hide}
                      large={large === panel.key}
                      onLarge={() => setLarge(large === panel.key ? null : panel.key)}
                    />
                  );
                })}
              </div>
            )}
            {open.has(fold.key) && fold.panels.length > shownOf(fold).length && (
              <p class="more-line"><button type="button" class="quiet" onClick={() => setMore({ ...more, [fold.key]: (more[fold.key] ?? STEP) + STEP })}>Show {Math.min(STEP, fold.panels.length - shownOf(fold).length)} more of {count(fold.panels.length)} charts</button></p>
            )}
          </div>
        ))}
      </div>
      {single.length > 0 && <Singles groups={single} runs={runs} />}
      <Texts runs={runs} matches={filter.matches} />
      {!any && <p class="muted empty-line">No metric matches.</p>}
    </>
  );
}

/** Runs with the group whose mean they are part of: all of them, or those with the same value of a parameter. */
function grouped(runs: Shown[], by: string): Shown[] {
  if (!by) return runs;
  const labels = runs.map((run) => {
    if (by === "all") return "all runs";
    const value = paramsOf(run.details)[by.slice("by:".length)];
    return value === undefined ? `no ${by.slice("by:".length)}` : `${by.slice("by:".length)}=${text(value)}`;
  });
  const places = [...new Set(labels)];
  return runs.map((run, at) => ({ ...run, group: { label: labels[at]!, colour: places.indexOf(labels[at]!) } }));
}

/** Groups that are open: the first ones with as many charts as are shown at once, but for those that were touched. */
function openFolds(folds: Fold[], toggled: Record<string, boolean>): Set<string> {
  let before = 0;
  const found = new Set<string>();
  for (const fold of folds) {
    if (!fold.title || (toggled[fold.key] ?? before < STEP)) found.add(fold.key);
    before += fold.panels.length;
  }
  return found;
}

/** Metrics that were reported once: a value is no curve. */
function Singles({ groups, runs }: { groups: Panel[]; runs: Shown[] }) {
  const many = runs.length > 1;
  const few = groups.slice(0, MOST);
  return (
    <div class="card singles" role="region" aria-label="Metrics with one value" tabIndex={many ? 0 : undefined}>
      {many ? (
        <table class="compare">
          <thead><tr><th scope="col">reported once</th>{runs.map((run) => <th key={run.id} scope="col"><i class={swatch(run.colour)} />{run.label}</th>)}</tr></thead>
          <tbody>
            {few.map((panel) => {
              const values = runs.map((run) => panel.of.find((one) => one.run.id === run.id)?.series.last);
              const top = bestPlaces(panel.name, values);
              return <tr key={panel.key}><th scope="row">{panel.category && `${panel.category} / `}{panel.name}</th>{values.map((value, at) => <td key={at} class={top.has(at) ? "best" : ""}>{number(value)}</td>)}</tr>;
            })}
          </tbody>
        </table>
      ) : (
        <dl>
          {few.map((panel) => (
            <div key={panel.key} data-metric={panel.name}><dt title={`${panel.category} ${panel.name}`}>{panel.category && <span>{panel.category} / </span>}{panel.name}</dt><dd>{number(panel.of[0]!.series.last)}</dd></div>
          ))}
        </dl>
      )}
      {groups.length > MOST && <p class="muted more-line">{count(groups.length - MOST)} more: filter the metrics to see them.</p>}
    </div>
  );
}
