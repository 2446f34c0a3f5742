import { useEffect, useMemo, useState } from "preact/hooks";
import { Chart, type Axis, type Line } from "./chart";
import { count, number, plural, removedText } from "./format";
import { useKept, usePaced } from "./hooks";
import { Icon } from "./parts";
import type { Details, Points, Series, Source } from "./types";

const STEP = 12;
const POINTS = 700;

export interface Shown {
  id: string;
  label: string;
  colour: number;
  details: Details;
}

interface Group {
  key: string;
  category: string;
  name: string;
  of: { run: Shown; series: Series }[];
}

/** As TensorBoard and W&B do it: an exponential mean, without its bias at the beginning. */
export function smoothed(values: number[], weight: number): number[] {
  let mean = 0;
  let norm = 0;
  return values.map((value) => {
    mean = mean * weight + value * (1 - weight);
    norm = norm * weight + (1 - weight);
    return mean / norm;
  });
}

const LOWER = /(^|[^a-z])(loss|losses|error|errors|err|mae|mse|rmse|nll|perplexity|wer|cer|fid|cost|kl|latency|seconds|time|duration)($|[^a-z])/i;

export function Metrics({ source, runs }: { source: Source; runs: Shown[] }) {
  const [axis, setAxis] = useKept<Axis>("axis", "elapsed");
  const [log, setLog] = useKept("log", false);
  const [smooth, setSmooth] = useKept("smooth", 0);
  const [text, setText] = useState("");
  const [shown, setShown] = useState(STEP);
  const [large, setLarge] = useState<string | null>(null);
  const [range, setRange] = useState<[number, number] | null>(null);
  const [points, setPoints] = useState<Record<string, Record<string, Points>>>({});
  const [means, setMeans] = useState<Record<string, Record<string, Points>>>({});
  const [failed, setFailed] = useState("");

  const groups = useMemo(() => {
    const found = new Map<string, Group>();
    for (const run of runs) {
      for (const series of run.details.series) {
        const key = `${series.category}\u0000${series.name}`;
        const group = found.get(key) ?? { key, category: series.category, name: series.name, of: [] };
        group.of.push({ run, series });
        found.set(key, group);
      }
    }
    return [...found.values()];
  }, [runs]);
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const matching = groups.filter((group) => words.every((word) => `${group.category} ${group.name}`.toLowerCase().includes(word)));
  const single = matching.filter((group) => group.of.every((one) => one.series.count === 1));
  const curves = matching.filter((group) => !single.includes(group));
  const drawn = curves.slice(0, shown);
  const wanted = runs.map((run) => ({
    run,
    series: drawn.flatMap((group) => group.of.filter((one) => one.run.id === run.id).map((one) => one.series.id)),
  }));
  const state = JSON.stringify([wanted.map((one) => [one.run.id, one.run.details.version, one.series]), axis, range, smooth > 0]);

  const fetchThem = usePaced(async () => {
    try {
      for (const { run, series } of wanted) {
        if (!series.length) continue;
        const from = axis === "elapsed" ? run.details.begin : 0;
        const query = {
          series,
          points: POINTS,
          axis: axis === "n" ? ("n" as const) : ("time" as const),
          ...(range ? { begin: range[0] + from, end: range[1] + from } : {}),
        };
        const [exact, mean] = await Promise.all([
          source.curves(run.id, { ...query, mean: false }),
          smooth > 0 ? source.curves(run.id, { ...query, mean: true }) : Promise.resolve({}),
        ]);
        setPoints((before) => ({ ...before, [run.id]: { ...before[run.id], ...exact } }));
        setMeans((before) => ({ ...before, [run.id]: { ...before[run.id], ...mean } }));
      }
      setFailed("");
    } catch (error) {
      setFailed(String((error as Error).message));
    }
  }, 400);
  useEffect(fetchThem, [state]);
  useEffect(() => setRange(null), [axis]);

  if (!groups.length) return <p class="muted empty-line">{runs.some((run) => run.details.removed) ? removedText : "No metric has been reported."}</p>;
  return (
    <>
      <div class="tools metric-tools">
        {groups.length > 6 && <input type="search" placeholder="Filter metrics" aria-label="Filter metrics" value={text} onInput={(event) => { setText(event.currentTarget.value); setShown(STEP); }} />}
        <label>
          <span class="muted">X</span>
          <select aria-label="Horizontal axis" value={axis} onChange={(event) => setAxis(event.currentTarget.value as Axis)}>
            <option value="elapsed">time since start</option>
            <option value="clock">clock time</option>
            <option value="n">sample number</option>
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
        {range && <button type="button" class="quiet" onClick={() => setRange(null)}>Show all</button>}
        {failed && <span class="bad-text">{failed}</span>}
      </div>
      <div class={`charts ${drawn.length === 1 ? "one" : ""}`}>
        {drawn.map((group) => (
          <MetricCard key={group.key} group={group} axis={axis} log={log} smooth={smooth} range={range} onRange={setRange} points={points} means={means} large={large === group.key} onLarge={() => setLarge(large === group.key ? null : group.key)} many={runs.length > 1} />
        ))}
      </div>
      {curves.length > shown && (
        <p class="more-line"><button type="button" class="quiet" onClick={() => setShown(shown + STEP)}>Show {Math.min(STEP, curves.length - shown)} more of {count(curves.length)} curves</button></p>
      )}
      {single.length > 0 && <Singles groups={single} runs={runs} />}
      {!matching.length && <p class="muted empty-line">No metric matches.</p>}
    </>
  );
}

/** Metrics that were reported once: a value is no curve. */
function Singles({ groups, runs }: { groups: Group[]; runs: Shown[] }) {
  const many = runs.length > 1;
  return (
    <div class="card singles" role="region" aria-label="Metrics with one value" tabIndex={many ? 0 : undefined}>
      {many ? (
        <table class="compare">
          <thead><tr><th scope="col">reported once</th>{runs.map((run) => <th key={run.id} scope="col"><i class={`swatch line-${run.colour}`} />{run.label}</th>)}</tr></thead>
          <tbody>
            {groups.slice(0, 200).map((group) => (
              <tr key={group.key}><th scope="row">{group.category && `${group.category} / `}{group.name}</th>{runs.map((run) => <td key={run.id}>{number(group.of.find((one) => one.run.id === run.id)?.series.last)}</td>)}</tr>
            ))}
          </tbody>
        </table>
      ) : (
        <dl>
          {groups.slice(0, 200).map((group) => (
            <div key={group.key} data-metric={group.name}><dt title={`${group.category} ${group.name}`}>{group.category && <span>{group.category} / </span>}{group.name}</dt><dd>{number(group.of[0]!.series.last)}</dd></div>
          ))}
        </dl>
      )}
    </div>
  );
}

interface CardProps {
  group: Group;
  axis: Axis;
  log: boolean;
  smooth: number;
  range: [number, number] | null;
  onRange: (range: [number, number] | null) => void;
  points: Record<string, Record<string, Points>>;
  means: Record<string, Record<string, Points>>;
  large: boolean;
  onLarge: () => void;
  many: boolean;
}

function MetricCard({ group, axis, log, smooth, range, onRange, points, means, large, onLarge, many }: CardProps) {
  const lines = useMemo(() => {
    const found: Line[] = [];
    for (const { run, series } of group.of) {
      const exact = points[run.id]?.[series.id];
      if (!exact) continue;
      const along = (one: Points) => (axis === "n" ? one.n : axis === "clock" ? one.t : one.t.map((at) => at - run.details.begin));
      const mean = means[run.id]?.[series.id] ?? exact;
      found.push({
        label: run.label,
        colour: run.colour,
        x: along(exact),
        y: exact.v,
        ...(smooth > 0 ? { smooth: { x: along(mean), y: smoothed(mean.v, smooth) } } : {}),
      });
    }
    return found;
  }, [points, means, group, axis, smooth]);
  const marks = useMemo(
    () =>
      axis === "n"
        ? []
        : group.of.flatMap(({ run }) =>
            run.details.nonfinite
              .filter((one) => one.name === group.name && one.category === group.category)
              .map((one) => (axis === "clock" ? one.time : one.time - run.details.begin)),
          ),
    [group, axis],
  );
  const first = group.of[0]!.series;
  const lower = LOWER.test(group.name.replace(/([a-z])([A-Z])/g, "$1 $2"));
  const total = group.of.reduce((sum, one) => sum + one.series.count, 0);
  return (
    <article class={`card chart ${large ? "large" : ""}`} data-metric={group.name}>
      <header>
        <h3 title={`${group.category} ${group.name}`}>
          {group.category && <span class="muted">{group.category} / </span>}
          {group.name}
        </h3>
        {!many && <span class="figure">{number(first.last)}</span>}
        <button type="button" class="quiet" onClick={onLarge} aria-pressed={large} aria-label={`Enlarge ${group.name}`} title="Enlarge"><Icon name="grow" /></button>
      </header>
      <Chart lines={lines} axis={axis} log={log} marks={marks} range={range} height={large ? 420 : 210} onRange={onRange} label={`Curve of ${group.name}, ${count(total)} values, last ${number(first.last)}`} />
      <footer class="small muted">
        {many
          ? group.of.map(({ run, series }) => (
              <span key={run.id} class="legend"><i class={`swatch line-${run.colour}`} />{run.label} <b>{number(lower ? series.min : series.max)}</b></span>
            ))
          : [`${lower ? "min" : "max"} ${number(lower ? first.min : first.max)}`, `first ${number(first.first)}`, plural(first.count, "value"), first.unit].filter(Boolean).join(" · ")}
        {many && <span>{lower ? "min" : "max"} values</span>}
        {marks.length > 0 && <span class="bad-text"> · {marks.length} not a number</span>}
      </footer>
    </article>
  );
}
