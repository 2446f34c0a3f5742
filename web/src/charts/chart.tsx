import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { number, numberTicks, timeAt, timeTicks } from "../format";
import { followFingers } from "./touch";

export interface Line {
  label: string;
  /** Place of its colour; beyond the last colour, the line is dashed. */
  colour: number;
  /** Which dashes, where the colour does not say so. */
  dash?: number;
  x: number[];
  y: number[];
  /** Means for smoothing, where the points are thinned out. */
  smooth?: { x: number[]; y: number[] };
  /** The least and most of several runs, at the places of the line, which is their mean. */
  band?: { low: number[]; high: number[] };
}

/** What the horizontal axis shows: a time, the number of the sample, or the metric of that name. */
export type X = "elapsed" | "clock" | "n" | `metric:${string}`;

const COLOURS = 8;
export const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3]];

/** Classes of what shows a line's colour and dashes in words about it. */
export const swatch = (colour: number, dash?: number) => `swatch line-${colour % COLOURS} dash-${dashOf(colour, dash)}`;
export const dashOf = (colour: number, dash?: number) => (dash ?? Math.floor(colour / COLOURS)) % DASHES.length;

export interface ChartProps {
  lines: Line[];
  axis: X;
  log: boolean;
  marks: number[];
  range: [number, number] | null;
  height: number;
  label: string;
  onRange: (range: [number, number] | null) => void;
  /** How values are shown; as numbers if not given. */
  show?: (value: number) => string;
  /** What the vertical axis shows, at either end, instead of all values. */
  span?: [number | null, number | null];
  /** Is given what draws, to save what it shows. */
  onPlot?: (plot: uPlot | null) => void;
  /** What the vertical axis shows in any case. */
  least?: number;
  /** A line at the most there may be. */
  limit?: number | null;
  /** Marks at multiples of powers of two, as for bytes. */
  binary?: boolean;
}

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Round distances between the marks of a time axis, in ms. */
const STEPS = [
  ...[0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 20, 30].map((n) => n * UNITS.s),
  ...[1, 2, 5, 10, 15, 20, 30].map((n) => n * UNITS.m),
  ...[1, 2, 3, 4, 6, 8, 12].map((n) => n * UNITS.h),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].map((n) => n * UNITS.d),
];

export function colours(): { lines: string[]; grid: string; text: string; bad: string; surface: string; strong: string } {
  // A canvas knows no light-dark(): an element that wears the colour tells what it comes to.
  const probe = document.createElement("i");
  document.body.append(probe);
  const get = (name: string) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const found = { lines: Array.from({ length: 8 }, (_, at) => get(`--line-${at}`)), grid: get("--grid"), text: get("--muted"), bad: get("--bad"), surface: get("--surface"), strong: get("--text") };
  probe.remove();
  return found;
}

const BINARY = Array.from({ length: 50 }, (_, at) => 2 ** at);

/** The vertical axis: all values, or those that are wanted. */
function yRange(props: ChartProps, min: number | null, max: number | null): uPlot.Range.MinMax {
  const [low, high] = props.span ?? [null, null];
  if (props.log) {
    const [from, to] = [low !== null && low > 0 ? low : (min ?? 1), high !== null && high > 0 ? high : (max ?? 10)];
    const whole = uPlot.rangeLog(from, Math.max(from, to), 10, false);
    return [whole[0], high !== null && high > whole[0]! ? high : whole[1]]; // a lower end that is no mark would have no end of marks
  }
  if (min === null || max === null) return [low ?? 0, high !== null && high > (low ?? 0) ? high : (low ?? 0) + 1];
  const whole = uPlot.rangeNum(Math.min(low ?? min, props.least ?? min), Math.max(high ?? max, low ?? max, props.limit ?? max), 0.1, true);
  return [low ?? whole[0], high !== null && high > (low ?? whole[0]!) ? high : whole[1]];
}

const faint = (colour: string) => colour.replace(/^rgb\((.*)\)$/, "rgb($1 / 0.33)").replace(/,/g, " ");

/** Curves over one axis; uPlot draws, this holds it in step with what is wanted. */
export function Chart(props: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const now = useRef(props);
  now.current = props;
  const bounds = `${props.least ?? ""} ${props.limit ?? ""}`;
  const shape = [bounds, props.lines.map((line) => `${line.label}\t${line.colour}\t${line.dash ?? ""}\t${line.smooth ? 1 : 0}${line.band ? 1 : 0}`).join("\n"), props.axis, props.log, props.height].join("\u0000");

  useEffect(() => {
    const element = box.current!;
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(element, tip.current!, now), data(now.current), element);
      now.current.onPlot?.(plot.current);
    };
    make();
    const observer = new ResizeObserver(() => {
      if (plot.current && element.clientWidth) plot.current.setSize({ width: element.clientWidth, height: now.current.height });
    });
    observer.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", make);
    window.addEventListener("themechange", make);
    return () => {
      observer.disconnect();
      scheme.removeEventListener("change", make);
      window.removeEventListener("themechange", make);
      plot.current?.destroy();
      plot.current = null;
      now.current.onPlot?.(null);
    };
  }, [shape]);

  useEffect(() => {
    plot.current?.setData(data(props));
  }, [props.lines, props.marks, props.range, props.span?.[0], props.span?.[1]]);

  const move = (event: KeyboardEvent) => {
    const scale = plot.current?.scales.x;
    if (!scale || scale.min == null || scale.max == null) return;
    const width = scale.max - scale.min;
    const to = {
      ArrowLeft: [scale.min - width / 4, scale.max - width / 4],
      ArrowRight: [scale.min + width / 4, scale.max + width / 4],
      "+": [scale.min + width / 4, scale.max - width / 4],
      "-": [scale.min - width / 2, scale.max + width / 2],
    }[event.key] as [number, number] | undefined;
    if (to) props.onRange(to);
    else if (event.key === "0" || event.key === "Escape") props.onRange(null);
    else return;
    event.preventDefault();
  };
  return (
    <div class="plot" style={{ height: `${props.height}px` }} tabIndex={0} role="img" aria-label={`${props.label}. Arrow keys move, plus and minus zoom, 0 shows all.`} onKeyDown={move}>
      <div ref={box} class="plot-box" />
      <div ref={tip} class="plot-tip" hidden />
    </div>
  );
}

/** All lines over the x values of all: each has a gap where another one has a value. An x may be there several times. */
function data(props: ChartProps): uPlot.AlignedData {
  const drawn = props.lines.flatMap((line) => [line, ...(line.smooth ? [line.smooth] : []), ...(line.band ? [{ x: line.x, y: line.band.high }, { x: line.x, y: line.band.low }] : [])]);
  const values = (y: number[]) => (props.log ? y.map((value) => (value > 0 ? value : null)) : y);
  if (!drawn.length) return [[]];
  if (drawn.length === 1) return [drawn[0]!.x, values(drawn[0]!.y)];
  const points = drawn.flatMap((line, at) => values(line.y).map((y, place) => ({ x: line.x[place]!, y, at })));
  points.sort((one, other) => one.x - other.x);
  const x: number[] = [];
  const columns: (number | null | undefined)[][] = drawn.map(() => []);
  for (const point of points) {
    let row = x.length - 1;
    while (row > 0 && x[row - 1] === point.x && columns[point.at]![row - 1] === undefined) row -= 1;
    if (row < 0 || x[row] !== point.x || columns[point.at]![row] !== undefined) row = x.push(point.x) - 1;
    columns[point.at]![row] = point.y;
  }
  columns.forEach((column) => (column.length = x.length));
  return [x, ...columns.map((column) => Array.from(column))] as uPlot.AlignedData;
}

function options(element: HTMLElement, tip: HTMLElement, props: { current: ChartProps }): uPlot.Options {
  const { lines, axis, log, height } = props.current;
  const look = colours();
  const points = lines.reduce((most, line) => Math.max(most, line.x.length), 0);
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  for (const line of lines) {
    const colour = look.lines[line.colour % look.lines.length]!;
    const dash = DASHES[dashOf(line.colour, line.dash)]!;
    series.push({ label: line.label, dash, stroke: line.smooth ? faint(colour) : colour, width: line.smooth ? 1 : 1.6, spanGaps: true, points: { show: points < 3, size: 6 } });
    if (line.smooth) series.push({ label: `${line.label} smoothed`, dash, stroke: colour, width: 2, spanGaps: true, points: { show: false } });
    if (line.band) {
      const edge = { stroke: "transparent", width: 0, spanGaps: true, points: { show: false } };
      bands.push({ series: [series.length, series.length + 1], fill: faint(colour).replace("0.33", "0.18") });
      series.push({ ...edge, label: `most of ${line.label}` }, { ...edge, label: `least of ${line.label}` });
    }
  }
  const axisOf = { stroke: look.text, grid: { stroke: look.grid, width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  const timed = axis === "elapsed" || axis === "clock";
  const values = (_: uPlot, splits: number[], _axis: number, _space: number, step: number) => (timed ? timeTicks(splits, step, axis) : numberTicks(splits, step));
  const yValues = (_: uPlot, splits: (number | null)[], _axis: number, _space: number, step: number) => {
    const { show } = props.current;
    return show ? splits.map((value) => (value === null ? "" : show(value))) : numberTicks(splits, log ? 0 : step);
  };
  return {
    width: element.clientWidth || 300,
    height,
    series,
    bands,
    legend: { show: false },
    padding: [8, 8, 0, 0],
    scales: {
      x: { time: false, range: (_u, min, max) => props.current.range ?? (min === max ? [min - 1, max + 1] : [min, max]) },
      y: { ...(log ? { distr: 3 as const } : {}), range: (_u, min, max) => yRange(props.current, min, max) },
    },
    axes: [
      { ...axisOf, values, size: 28, ...(timed ? { incrs: STEPS } : {}), space: axis === "clock" ? 70 : 60 },
      { ...axisOf, size: (_u, texts) => Math.max(props.current.show ? 66 : 56, ...(texts ?? []).map((text) => (text ?? "").length * 6.5 + 14)), space: 32, ...(props.current.binary ? { incrs: BINARY } : {}), values: yValues },
    ],
    cursor: {
      sync: { key: axis },
      y: false,
      drag: { x: true, y: false, setScale: false },
      focus: { prox: 24 },
      points: { size: 7 },
    },
    hooks: {
      setSelect: [
        (u) => {
          if (u.select.width < 4) return;
          const min = u.posToVal(u.select.left, "x");
          const max = u.posToVal(u.select.left + u.select.width, "x");
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          props.current.onRange([min, max]);
        },
      ],
      ready: [
        (u) => u.over.addEventListener("dblclick", () => props.current.onRange(null)),
        (u) => followFingers(u, (range) => props.current.onRange(range)),
      ],
      draw: [(u) => drawMarks(u, props.current.marks, look.bad), (u) => drawLimit(u, props.current.limit ?? null, look.bad)],
      setCursor: [(u) => showTip(u, tip, props.current, look.lines)],
    },
  };
}

/** Lines where a value was no number. */
function drawMarks(u: uPlot, marks: number[], colour: string): void {
  const { ctx } = u;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.setLineDash([3, 3]);
  ctx.lineWidth = devicePixelRatio;
  for (const mark of marks) {
    const at = Math.round(u.valToPos(mark, "x", true)) + 0.5;
    if (at < u.bbox.left || at > u.bbox.left + u.bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(at, u.bbox.top);
    ctx.lineTo(at, u.bbox.top + u.bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

/** A line that the curve cannot pass. */
function drawLimit(u: uPlot, limit: number | null, colour: string): void {
  if (limit === null) return;
  const { ctx } = u;
  const at = Math.round(u.valToPos(limit, "y", true)) + 0.5;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.setLineDash([6, 4]);
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(u.bbox.left, at);
  ctx.lineTo(u.bbox.left + u.bbox.width, at);
  ctx.stroke();
  ctx.restore();
}

/** Where the pointer is, with the digits that a picture of `step` a pixel has. */
function xText(axis: X, x: number, step: number): string {
  if (axis === "elapsed" || axis === "clock") return timeAt(x, step, axis);
  return axis === "n" ? `sample ${number(Math.round(x))}` : `${axis.slice("metric:".length)} ${number(step > 0.2 ? Math.round(x) : x)}`;
}

/** Rows of a tip at most: of more lines, those nearest to the pointer. */
const TIP_ROWS = 12;

function showTip(u: uPlot, tip: HTMLElement, props: ChartProps, look: string[]): void {
  const { idx, left, top } = u.cursor;
  if (idx == null || left == null || top == null || left < 0 || !u.over.matches(":hover")) {
    tip.hidden = true;
    return;
  }
  const x = u.posToVal(left, "x");
  const head = document.createElement("div");
  head.className = "muted";
  head.textContent = xText(props.axis, x, ((u.scales.x!.max ?? 0) - (u.scales.x!.min ?? 0)) / 500);
  const at = u.posToVal(top, "y");
  const found = props.lines.map((line) => ({ line, value: nearest((line.smooth ?? line).x, (line.smooth ?? line).y, x) }));
  const near = found.length <= TIP_ROWS ? found : found.filter((one) => one.value !== null).sort((one, other) => Math.abs(one.value! - at) - Math.abs(other.value! - at)).slice(0, TIP_ROWS);
  const rows = near.map(({ line, value }) => {
    const row = document.createElement("div");
    const colour = document.createElement("i");
    colour.style.background = look[line.colour % look.length]!;
    const text = document.createElement("span");
    text.textContent = value !== null && props.show ? props.show(value) : number(value);
    row.append(colour, text);
    if (props.lines.length > 1) {
      const name = document.createElement("span");
      name.className = "muted";
      name.textContent = line.label;
      row.append(name);
    }
    return row;
  });
  tip.replaceChildren(head, ...rows);
  tip.hidden = false;
  const beside = u.over.offsetLeft + left;
  tip.style.left = beside > u.width / 2 ? "" : `${beside + 14}px`;
  tip.style.right = beside > u.width / 2 ? `${u.width - beside + 14}px` : "";
  tip.style.top = `${u.over.offsetTop + 4}px`;
}

function nearest(x: number[], y: number[], at: number): number | null {
  if (!x.length) return null;
  let low = 0;
  let high = x.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x[middle]! < at) low = middle + 1;
    else high = middle;
  }
  if (low > 0 && Math.abs(x[low - 1]! - at) < Math.abs(x[low]! - at)) low -= 1;
  return y[low] ?? null;
}
