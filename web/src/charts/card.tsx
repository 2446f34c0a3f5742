import { useMemo, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import { count, number, plural } from "../format";
import { Icon } from "../parts";
import type { Points, Source } from "../types";
import { Chart, swatch, type Line, type X } from "./chart";
import { meanOf } from "./means";
import { curveKey, type Curves } from "./metrics";
import { best, bestPlaces, isAxis, isLower, lineKey, type Member, type Panel, type Shown } from "./panels";
import { csvOf, pngOf, save, svgOf } from "./save";

/** Values of a curve in a CSV file at most; of more, the least and the most of neighbours. */
const SAVED = 20_000;

/** From where to where the vertical axis goes; null: as the values do. */
export type Bounds = [number | null, number | null];

interface CardProps {
  source: Source;
  panel: Panel;
  many: boolean;
  x: X;
  log: boolean;
  smooth: number;
  /** Percentage of the values at either end that are outside of the chart. */
  cut: number;
  range: [number, number] | null;
  onRange: (range: [number, number] | null) => void;
  curves: Curves;
  means: Curves;
  bounds: Bounds;
  onBounds: (bounds: Bounds) => void;
  hidden: ReadonlySet<string>;
  onHide: (key: string) => void;
  large: boolean;
  onLarge: () => void;
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

const nameOf = (x: X) => (x.startsWith("metric:") ? x.slice("metric:".length) : { elapsed: "time since start", clock: "clock time", n: "sample number" }[x as "n"]);

export function MetricCard({ source, panel, many, x, log, smooth, cut, range, onRange, curves, means, bounds, onBounds, hidden, onHide, large, onLarge }: CardProps) {
  const plot = useRef<uPlot | null>(null);
  const looks = useMemo(() => looksOf(panel, many), [panel, many]);
  const shown = panel.of.map((member, at) => ({ member, look: looks[at]!, points: curves[curveKey(member.run.id, x, member.series.id)], mean: means[curveKey(member.run.id, x, member.series.id)] }));
  const lines = useMemo(() => {
    const found: Line[] = [];
    for (const { member, look, points, mean } of shown) {
      if (!points?.t.length || hidden.has(lineKey(panel, member))) continue;
      const along = (one: Points) => placesOf(one, x, member.run.details.begin);
      const base = mean?.t.length ? mean : points;
      found.push({ ...look, x: along(points), y: points.v, ...(smooth > 0 ? { smooth: { x: along(base), y: smoothed(base.v, smooth) } } : {}) });
    }
    return panel.joint || isAxis(panel) || !panel.of.some(({ run }) => run.group) ? found : meansOf(found, shown.filter(({ member, points }) => points?.t.length && !hidden.has(lineKey(panel, member))).map(({ member }) => member.run));
  }, [curves, means, panel, looks, x, smooth, hidden]);
  const marks = useMemo(() => marksOf(panel, x), [panel, x]);
  const span: Bounds = [...bounds];
  if (cut && !isAxis(panel)) {
    const usual = shown.flatMap(({ member, points }) => (points?.usual && !hidden.has(lineKey(panel, member)) ? [points.usual] : []));
    if (usual.length) {
      span[0] ??= Math.min(...usual.map(([low]) => low));
      span[1] ??= Math.max(...usual.map(([, high]) => high));
    }
  }
  const first = panel.of[0]!.series;
  const one = panel.of.length === 1;
  const word = isLower(panel.name) ? "min" : "max";
  const total = panel.of.reduce((sum, member) => sum + member.series.count, 0);
  const top = panel.joint || isAxis(panel) ? new Set<number>() : bestPlaces(panel.name, panel.of.map((member) => best(member.series)));
  const read = shown.every(({ points }) => points);
  const title = `${panel.category ? `${panel.category} / ` : ""}${panel.name}`;
  return (
    <article class={`card chart ${large ? "large" : ""}`} data-metric={panel.name} data-x={nameOf(x)}>
      <header>
        <h3 title={title}>
          {panel.category && <span class="muted">{panel.category} / </span>}
          <span class="metric-name">{panel.name}</span>
        </h3>
        {one && <span class="figure" title="The last value">{number(first.last)}</span>}
        {one && first.count > 1 && !isAxis(panel) && <span class="muted small figure-best">{word} {number(best(first))}</span>}
        <SaveMenu title={title} onSave={(kind) => saveAs(kind, { source, panel, x, range, title, lines, plot: () => plot.current, hidden })} />
        <button type="button" class="quiet" onClick={onLarge} aria-pressed={large} aria-label={`Enlarge ${panel.name}`} title="Enlarge"><Icon name="grow" /></button>
      </header>
      {large && <BoundsFields bounds={bounds} onBounds={onBounds} />}
      <Chart lines={lines} axis={x} log={log} marks={marks} range={range} span={span} height={large ? 420 : 210} onRange={onRange} onPlot={(made) => { plot.current = made; }} label={`Curve of ${panel.name} over ${nameOf(x)}, ${count(total)} values, last ${number(first.last)}`} />
      <footer class="small muted">
        {x.startsWith("metric:") && <span class="chart-x">over {nameOf(x)}</span>}
        {one ? <span>{[`first ${number(first.first)}`, plural(first.count, "value"), first.unit].filter(Boolean).join(" · ")}</span> : <Legend panel={panel} shown={shown} top={top} hidden={hidden} onHide={onHide} />}
        {lines.some((line) => line.band) && lines.map((line) => <span key={line.label} class="legend-mean"><i class={swatch(line.colour)} />{line.label}{line.band && ", from the least to the most"}</span>)}
        {!one && <span>{panel.joint ? "last" : word} values</span>}
        {marks.length > 0 && <span class="bad-text"> · {marks.length} not a number</span>}
        {read && !lines.length && shown.every(({ points }) => !points!.t.length) && <span class="warn-text">not reported in one call with {nameOf(x)}</span>}
        {cut > 0 && !isAxis(panel) && lines.some((line) => line.y.some((value) => (span[0] !== null && value < span[0]) || (span[1] !== null && value > span[1]))) && <span class="warn-text">outliers are outside of the chart</span>}
      </footer>
    </article>
  );
}

/** Of each group of runs the mean; a group of one is its line. */
function meansOf(lines: Line[], runs: Shown[]): Line[] {
  const groups = new Map<string, Line[]>();
  lines.forEach((line, at) => groups.set(runs[at]!.group!.label, [...(groups.get(runs[at]!.group!.label) ?? []), line]));
  return [...groups].map(([label, inside]) => {
    const { colour } = runs.find((run) => run.group!.label === label)!.group!;
    return inside.length === 1 ? { ...inside[0]!, label, colour } : meanOf(inside, `${label} (mean of ${inside.length})`, colour);
  });
}

interface Look {
  label: string;
  colour: number;
  dash?: number;
}

/** Of one run, each metric has a colour; of several, each run has one, and each metric its dashes. */
function looksOf(panel: Panel, many: boolean): Look[] {
  const metrics = [...new Set(panel.of.map(({ series }) => `${series.category}\u0000${series.name}`))];
  const [categories, names] = [new Set(panel.of.map(({ series }) => series.category)), new Set(panel.of.map(({ series }) => series.name))];
  return panel.of.map(({ run, series }) => {
    const place = metrics.indexOf(`${series.category}\u0000${series.name}`);
    if (!panel.joint) return { label: run.label, colour: many ? (run.group?.colour ?? run.colour) : 0 };
    const what = [categories.size > 1 ? series.category || "no category" : "", names.size > 1 ? series.name : ""].filter(Boolean).join(" / ");
    return many ? { label: `${run.label} ${what}`, colour: run.colour, dash: place } : { label: what, colour: place };
  });
}

function placesOf(points: Points, x: X, begin: number): number[] {
  if (x === "n") return points.n;
  if (x === "clock") return points.t;
  return x === "elapsed" ? points.t.map((at) => at - begin) : (points.x ?? []);
}

/** Times of values that were no numbers. */
function marksOf(panel: Panel, x: X): number[] {
  if (x !== "elapsed" && x !== "clock") return [];
  return panel.of.flatMap(({ run, series }) =>
    run.details.nonfinite.filter((one) => one.name === series.name && one.category === series.category).map((one) => (x === "clock" ? one.time : one.time - run.details.begin)),
  );
}

interface Drawn {
  member: Member;
  look: Look;
}

function Legend({ panel, shown, top, hidden, onHide }: { panel: Panel; shown: Drawn[]; top: Set<number>; hidden: ReadonlySet<string>; onHide: (key: string) => void }) {
  return (
    <div class="legends" role="group" aria-label={`Lines of ${panel.name}`}>
      {shown.map(({ member, look }, at) => {
        const key = lineKey(panel, member);
        const value = panel.joint ? member.series.last : best(member.series);
        return (
          <button key={key} type="button" class={`legend ${top.has(at) ? "best" : ""}`} aria-pressed={!hidden.has(key)} title={`${member.run.details.row.name || member.run.id}: ${hidden.has(key) ? "show" : "hide"}`} onClick={() => onHide(key)}>
            <i class={swatch(look.colour, look.dash)} />
            <span>{look.label}</span> <b>{number(value)}</b>
            {top.has(at) && <span class="best-word">best</span>}
          </button>
        );
      })}
    </div>
  );
}

function BoundsFields({ bounds, onBounds }: { bounds: Bounds; onBounds: (bounds: Bounds) => void }) {
  return (
    <div class="tools bounds">
      <label><span class="muted">Y from</span><BoundField name="Y from" value={bounds[0]} onValue={(value) => onBounds([value, bounds[1]])} /></label>
      <label><span class="muted">to</span><BoundField name="Y to" value={bounds[1]} onValue={(value) => onBounds([bounds[0], value])} /></label>
      {bounds[0] !== null && bounds[1] !== null && bounds[0] >= bounds[1] && <span class="warn-text" role="status">“from” must be below “to”</span>}
      {(bounds[0] !== null || bounds[1] !== null) && <button type="button" class="quiet" onClick={() => onBounds([null, null])}>As the values</button>}
    </div>
  );
}

/** A number to type in; what is typed stays while the page is drawn again, and counts when the field is left, or from Enter on. */
function BoundField({ name, value, onValue }: { name: string; value: number | null; onValue: (value: number | null) => void }) {
  const told = value === null ? "" : String(value);
  const [typed, setTyped] = useState({ after: told, text: told });
  const text = typed.after === told ? typed.text : told; // no effect sets it: that would come after the first letter
  const read = (given: string) => (given.trim() === "" || Number.isNaN(Number(given)) ? null : Number(given));
  return <input type="number" step="any" aria-label={name} value={text} onInput={(event) => setTyped({ after: told, text: event.currentTarget.value })} onChange={(event) => onValue(read(event.currentTarget.value))} />;
}

type Kind = "png" | "svg" | "csv";

function SaveMenu({ title, onSave }: { title: string; onSave: (kind: Kind) => Promise<void> }) {
  const [failed, setFailed] = useState("");
  const menu = useRef<HTMLDetailsElement>(null);
  const chosen = (kind: Kind) => {
    menu.current!.open = false;
    setFailed("");
    onSave(kind).catch((error: unknown) => setFailed(String((error as Error).message)));
  };
  return (
    <>
      {failed && <span class="bad-text small" role="alert">{failed}</span>}
      <details class="menu" ref={menu} onKeyDown={(event) => { if (event.key === "Escape") menu.current!.open = false; }} onFocusOut={(event) => { if (!menu.current!.contains(event.relatedTarget as Node | null)) menu.current!.open = false; }}>
        <summary class="quiet" aria-label={`Save ${title}`} title="Save"><Icon name="save" /></summary>
        <div class="menu-items card">
          {(["png", "svg", "csv"] as const).map((kind) => <button key={kind} type="button" class="quiet" onClick={() => chosen(kind)}>{kind.toUpperCase()}</button>)}
        </div>
      </details>
    </>
  );
}

interface Saved {
  source: Source;
  panel: Panel;
  x: X;
  range: [number, number] | null;
  title: string;
  lines: Line[];
  plot: () => uPlot | null;
  hidden: ReadonlySet<string>;
}

async function saveAs(kind: Kind, { source, panel, x, range, title, lines, plot, hidden }: Saved): Promise<void> {
  const runs = new Set(panel.of.map((member) => member.run.id));
  const name = `${runs.size === 1 ? panel.of[0]!.run.details.row.name || panel.of[0]!.run.id : `${runs.size} runs`} ${title}`;
  if (kind === "csv") {
    const shown = panel.of.filter((member) => !hidden.has(lineKey(panel, member)));
    save(csvOf([["run", "category", "metric", nameOf(x), "unix_milliseconds", "value"], ...(await Promise.all(shown.map((member) => rowsOf(source, member, x, range)))).flat()]), `${name}.csv`, "text/csv");
  } else {
    const picture = svgOf(await drawn(plot), lines, runs.size === 1 ? name : title, nameOf(x));
    save(kind === "svg" ? picture.text : await pngOf(picture), `${name}.${kind}`, "image/svg+xml");
  }
}

/** A chart as soon as it has been drawn: one that has just been enlarged is drawn again a moment later. */
async function drawn(plot: () => uPlot | null): Promise<uPlot> {
  for (const end = performance.now() + 5_000; performance.now() < end; await new Promise(requestAnimationFrame)) {
    const found = plot();
    if (found) return found;
  }
  throw new Error("the chart has not been drawn");
}

async function rowsOf(source: Source, { run, series }: Member, x: X, range: [number, number] | null): Promise<(string | number)[][]> {
  const from = x === "elapsed" ? run.details.begin : 0;
  const found = await source.curves(run.id, {
    series: [series.id],
    points: SAVED,
    axis: x === "n" ? "n" : "time",
    mean: false,
    ...(x.startsWith("metric:") ? { along: x.slice("metric:".length) } : {}),
    ...(range ? { begin: range[0] + from, end: range[1] + from } : {}),
  });
  const points = found[series.id];
  if (!points) return [];
  const places = placesOf(points, x, run.details.begin);
  return points.v.map((value, at) => [run.details.row.name || run.id, series.category, series.name, places[at]!, points.t[at]!, value]);
}
