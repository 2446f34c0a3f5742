import { useMemo, useState } from "preact/hooks";
import { Chart, type Line } from "./charts/chart";
import { bytes, duration, number, percent, plural } from "./format";
import { Icon } from "./parts";
import type { Details, UsageChart } from "./types";

/** A limit far above the curve would press it flat: it is told in words then. */
const NEAR = 3;
const TITLES: Record<string, string> = {
  cpu: "CPUs kept busy",
  memory: "Memory",
  disk: "Disk",
  network: "Network",
  gpu: "GPU utilisation",
  "gpu memory": "GPU memory",
  "gpu power": "GPU power",
};
const UNITS: Record<string, (value: number) => string> = {
  By: bytes,
  "By/s": (value) => `${bytes(value)}/s`,
  "1": (value) => percent(value),
  W: (value) => `${number(Math.round(value))} W`,
  "{cpu}": (value) => String(Number(value.toFixed(2))),
};

export const hasUsage = (details: Details) => details.usage.charts.length > 0;

export function Usage({ details }: { details: Details }) {
  const [range, setRange] = useState<[number, number] | null>(null);
  const [large, setLarge] = useState("");
  const { usage } = details;
  return (
    <>
      {usage.oom_killed && <div class="banner bad" role="alert">The kernel killed this run: out of memory.</div>}
      <div class="charts">
        {usage.charts.map((chart) => (
          <UsageCard key={chart.name} chart={chart} begin={details.begin} range={range} onRange={setRange} large={large === chart.name} onLarge={() => setLarge(large === chart.name ? "" : chart.name)} />
        ))}
      </div>
      <p class="muted small usage-sums">
        <span>{sums(details)}</span>
        {range && <button type="button" class="quiet" onClick={() => setRange(null)}>Show all</button>}
      </p>
    </>
  );
}

interface CardProps {
  chart: UsageChart;
  begin: number;
  range: [number, number] | null;
  onRange: (range: [number, number] | null) => void;
  large: boolean;
  onLarge: () => void;
}

function UsageCard({ chart, begin, range, onRange, large, onLarge }: CardProps) {
  const lines = useMemo<Line[]>(
    () => chart.lines.map((line, at) => ({ label: line.label || TITLES[chart.name] || chart.name, colour: at, x: line.t.map((time) => time - begin), y: line.v })),
    [chart, begin],
  );
  const title = TITLES[chart.name] ?? chart.name;
  const show = UNITS[chart.unit] ?? number;
  const peaks = chart.lines.map((line) => Math.max(...line.v));
  const peak = Math.max(...peaks);
  const lasts = chart.lines.map((line) => show(line.v[line.v.length - 1]!));
  const near = chart.limit !== null && peak * NEAR > chart.limit;
  const many = chart.lines.length > 1;
  return (
    <article class={`card chart ${large ? "large" : ""}`} data-usage={chart.name}>
      <header>
        <h3>{title}</h3>
        {!many && <span class="figure">{lasts[0]}</span>}
        <button type="button" class="quiet" onClick={onLarge} aria-pressed={large} aria-label={`Enlarge ${title}`} title="Enlarge"><Icon name="grow" /></button>
      </header>
      <Chart lines={lines} axis="elapsed" log={false} marks={[]} range={range} height={large ? 360 : 150} onRange={onRange} label={`Curve of ${title}, peak ${show(peak)}`} show={show} least={0} limit={near ? chart.limit : null} binary={chart.unit.startsWith("By")} />
      <footer class="small muted">
        {many ? (
          chart.lines.map((line, at) => (
            <span key={line.label} class="legend"><i class={`swatch line-${at}`} />{line.label} <b>{show(peaks[at]!)}</b></span>
          ))
        ) : (
          <span>peak {show(peak)}{chart.limit !== null && chart.unit !== "1" && ` of ${show(chart.limit)}`}</span>
        )}
        {many && <span>peaks{chart.limit !== null && chart.unit !== "1" && `, of ${show(chart.limit)}`}</span>}
      </footer>
    </article>
  );
}

function sums({ usage }: Details): string {
  const sum = (values: (number | null)[]) => values.reduce<number>((all, value) => all + (value ?? 0), 0);
  const parts = [
    `CPU time ${duration(sum(usage.totals.map((one) => one.cpu_seconds)) * 1000)}`,
    ...(usage.totals.some((one) => one.disk_read !== null) ? [`read ${bytes(sum(usage.totals.map((one) => one.disk_read)))}`, `written ${bytes(sum(usage.totals.map((one) => one.disk_written)))}`] : []),
    `at most ${plural(sum(usage.totals.map((one) => one.processes_peak)), "process", "es")}`,
    "network: total of its network namespace",
    ...(usage.gpus_by === "all" ? ["GPUs: all of the machine, since the job's own are unknown"] : []),
    ...(usage.gpus_by === "CUDA_VISIBLE_DEVICES" ? ["GPUs: as CUDA_VISIBLE_DEVICES says"] : []),
  ];
  return parts.join(" · ");
}
