import { clock, count, shown as text } from "../format";
import type { MetricText } from "../types";
import { swatch } from "./chart";
import type { Shown } from "./panels";

/** Metrics that are no numbers: the latest text of each. */
export function Texts({ runs, matches }: { runs: Shown[]; matches: (one: { category: string; name: string }) => boolean }) {
  const keys = new Map<string, MetricText>();
  for (const run of runs) for (const one of run.details.metric_texts) if (matches(one)) keys.set(`${one.category}\u0000${one.name}`, one);
  if (!keys.size) return null;
  const of = (run: Shown, { category, name }: MetricText) => run.details.metric_texts.find((one) => one.category === category && one.name === name);
  const many = runs.length > 1;
  const named = ({ category, name }: MetricText) => <>{category && <span class="muted">{category} / </span>}{name}</>;
  return (
    <div class="card singles texts" role="region" aria-label="Metrics that are texts" tabIndex={many ? 0 : undefined}>
      {many ? (
        <table class="compare">
          <thead><tr><th scope="col">latest text</th>{runs.map((run) => <th key={run.id} scope="col"><i class={swatch(run.colour)} />{run.label}</th>)}</tr></thead>
          <tbody>
            {[...keys].map(([key, one]) => <tr key={key}><th scope="row">{named(one)}</th>{runs.map((run) => <td key={run.id}>{latest(of(run, one))}</td>)}</tr>)}
          </tbody>
        </table>
      ) : (
        <dl>
          {[...keys].map(([key, one]) => (
            <div key={key} data-metric={one.name}>
              <dt title={`${one.category} ${one.name}`}>{named(one)}{one.count > 1 && <span class="small"> · {count(one.count)} values</span>}</dt>
              <dd title={clock(one.time)}>{latest(one)}</dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  );
}

const latest = (one: MetricText | undefined) => (one === undefined ? "–" : one.value === null ? "none" : text(one.value).slice(0, 2000));
