import { useState } from "preact/hooks";
import { number, shown as text } from "../format";
import type { Value } from "../types";
import { swatch } from "./chart";
import { differing, paramsOf } from "./labels";
import { best, isAxis, isLower, metricsOf, type Shown } from "./panels";

/** What runs differ in: a parameter, or the best value of a metric. */
interface Dimension {
  key: string;
  values: (Value | undefined)[];
  metric: boolean;
}

interface Scale {
  /** Place of each run from 0 to 1; null without a value. */
  places: (number | null)[];
  marks: { at: number; text: string }[];
  log: boolean;
}

/** Axes of parallel coordinates at most: parameters, and metrics. */
const MOST = 6;
/** From here on values between the least and the most are told apart only by their logarithms. */
const WIDE = 100;

/** How parameters and metrics of runs belong together: two of them as points, all of them as lines. */
export function Relations({ runs }: { runs: Shown[] }) {
  const dimensions = dimensionsOf(runs);
  const params = dimensions.filter((one) => !one.metric);
  const metrics = dimensions.filter((one) => one.metric);
  const [chosenX, setX] = useState("");
  const [chosenY, setY] = useState("");
  if (dimensions.length < 2 || runs.length < 2) return null;
  const x = dimensions.find((one) => one.key === chosenX) ?? params[0] ?? metrics[1]!;
  const y = dimensions.find((one) => one.key === chosenY) ?? (metrics[0] ?? params[1])!;
  const choice = (label: string, value: Dimension, set: (key: string) => void) => (
    <label>
      <span class="muted">{label}</span>
      <select aria-label={`${label} of the points`} value={value.key} onChange={(event) => set(event.currentTarget.value)}>
        {dimensions.map((one) => <option key={one.key} value={one.key}>{one.key}</option>)}
      </select>
    </label>
  );
  return (
    <section class="section" aria-label="Parameters and metrics">
      <div class="section-head"><h2>Parameters and metrics</h2><span class="muted small">Of metrics, the best value</span></div>
      <div class="relations">
        <div class="card relation">
          <div class="tools">{choice("X", x, setX)}{choice("Y", y, setY)}</div>
          <Scatter runs={runs} x={x} y={y} />
        </div>
        <div class="card relation relation-wide" tabIndex={0} role="region" aria-label="Parallel coordinates">
          <Parallel runs={runs} dimensions={[...params.slice(0, MOST), ...metrics.slice(0, MOST)]} />
        </div>
      </div>
      <p class="small muted relation-runs">{runs.map((run) => <span key={run.id} class="legend"><i class={swatch(run.colour)} />{run.label}</span>)}</p>
    </section>
  );
}

function dimensionsOf(runs: Shown[]): Dimension[] {
  const params = runs.map((run) => paramsOf(run.details));
  const found: Dimension[] = differing(params).map((key) => ({ key, values: params.map((one) => one[key]), metric: false }));
  for (const panel of metricsOf(runs)) {
    const values = runs.map((run) => panel.of.find((one) => one.run.id === run.id)).map((one) => one && best(one.series));
    if (isAxis(panel) || new Set(values).size < 2) continue;
    found.push({ key: `${isLower(panel.name) ? "min" : "max"} ${panel.category ? `${panel.category} / ` : ""}${panel.name}`, values, metric: true });
  }
  return found;
}

function scaleOf(values: (Value | undefined)[]): Scale {
  const known = values.filter((value) => value !== undefined && value !== null);
  if (known.length && known.every((value) => typeof value === "number")) {
    const [least, most] = [Math.min(...(known as number[])), Math.max(...(known as number[]))];
    const log = least > 0 && most / least >= WIDE;
    const [to, from] = log ? [Math.log10, (value: number) => 10 ** value] : [(value: number) => value, (value: number) => value];
    const width = to(most) - to(least) || 1;
    const marks = most === least ? [0.5] : [0, 0.25, 0.5, 0.75, 1];
    return {
      log,
      places: values.map((value) => (typeof value !== "number" ? null : most === least ? 0.5 : (to(value) - to(least)) / width)),
      marks: marks.map((at) => ({ at, text: number(Number(from(to(least) + (most === least ? 0 : at * width)).toPrecision(3))) })),
    };
  }
  const kinds = [...new Set(known.map(text))].sort();
  const place = (kind: string) => (kinds.length === 1 ? 0.5 : kinds.indexOf(kind) / (kinds.length - 1));
  return {
    log: false,
    places: values.map((value) => (value === undefined || value === null ? null : place(text(value)))),
    marks: kinds.slice(0, 12).map((kind) => ({ at: place(kind), text: kind.length > 14 ? `${kind.slice(0, 13)}…` : kind })),
  };
}

function Scatter({ runs, x, y }: { runs: Shown[]; x: Dimension; y: Dimension }) {
  const [across, up] = [scaleOf(x.values), scaleOf(y.values)];
  const [left, top, width, height] = [64, 14, 330, 200];
  const placed = runs.filter((_, at) => across.places[at] !== null && up.places[at] !== null).length;
  return (
    <svg class="relation-plot" viewBox="0 0 420 262" role="img" aria-label={`${y.key} over ${x.key} of ${placed} runs`}>
      {across.marks.map((mark) => <g key={mark.at}><path d={`M${left + mark.at * width} ${top}v${height}`} /><text x={left + mark.at * width} y={top + height + 16} text-anchor="middle">{mark.text}</text></g>)}
      {up.marks.map((mark) => <g key={mark.at}><path d={`M${left} ${top + (1 - mark.at) * height}h${width}`} /><text x={left - 6} y={top + (1 - mark.at) * height + 4} text-anchor="end">{mark.text}</text></g>)}
      <text x={left + width / 2} y={top + height + 36} text-anchor="middle">{x.key}{across.log && ", logarithmic"}{up.log && ` (Y logarithmic)`}</text>
      {runs.map((run, at) => across.places[at] !== null && up.places[at] !== null && (
        <circle key={run.id} class={`point-${run.colour % 8}`} cx={left + across.places[at]! * width} cy={top + (1 - up.places[at]!) * height} r="5"><title>{`${run.label}: ${x.key} ${text(x.values[at])}, ${y.key} ${text(y.values[at])}`}</title></circle>
      ))}
    </svg>
  );
}

function Parallel({ runs, dimensions }: { runs: Shown[]; dimensions: Dimension[] }) {
  const scales = dimensions.map((one) => scaleOf(one.values));
  const [left, top, height, apart] = [60, 40, 190, 130];
  const width = left * 2 + apart * (dimensions.length - 1);
  const short = (key: string) => (key.length > 20 ? `…${key.slice(-19)}` : key);
  return (
    <svg class="relation-plot" viewBox={`0 0 ${width} 262`} width={width} height="262" role="img" aria-label={`${dimensions.length} parameters and metrics of ${runs.length} runs`}>
      {runs.map((run, place) => {
        const points = scales.flatMap((scale, at) => (scale.places[place] == null ? [] : [`${left + at * apart} ${(top + (1 - scale.places[place]!) * height).toFixed(1)}`]));
        return points.length > 1 && <path key={run.id} class={`parallel point-${run.colour % 8}`} d={`M${points.join("L")}`}><title>{run.label}</title></path>;
      })}
      {scales.map((scale, at) => (
        <g key={dimensions[at]!.key}>
          <path class="parallel-axis" d={`M${left + at * apart} ${top}v${height}`} />
          <text class="parallel-name" x={left + at * apart} y={at % 2 ? 28 : 14} text-anchor="middle">{short(dimensions[at]!.key)}{scale.log && " (log)"}<title>{dimensions[at]!.key}</title></text>
          {scale.marks.map((mark) => <text key={mark.at} x={left + at * apart + 5} y={top + (1 - mark.at) * height + 4}>{mark.text}</text>)}
        </g>
      ))}
    </svg>
  );
}
