import { useMemo } from "preact/hooks";
import { clock, duration, percent, plural, shown as text } from "./format";
import { useNow, useRuns } from "./hooks";
import { Metrics } from "./metrics";
import { Icon, lasted, StatePill, title } from "./parts";
import type { Source, Value } from "./types";

export function ComparePage({ source, ids }: { source: Source; ids: string[] }) {
  const few = useMemo(() => [...new Set(ids)].slice(0, 8), [ids.join(",")]);
  const { details, errors } = useRuns(source, few);
  const now = useNow(1000);
  const runs = useMemo(() => {
    const found = few.filter((id) => details[id]);
    const titles = found.map((id) => title(details[id]!.row));
    return found.map((id, place) => {
      const same = titles.filter((one) => one === titles[place]).length > 1;
      return { id, colour: few.indexOf(id), details: details[id]!, label: same ? `${titles[place]} ${id.slice(-6)}` : titles[place]! };
    });
  }, [few, details]);
  const params = useMemo(() => {
    const keys = new Map<string, Value[]>();
    runs.forEach((run, place) => {
      const job = run.details.spans.find((span) => span.role === "job");
      for (const [key, value] of Object.entries(job?.params ?? {})) {
        const values = keys.get(key) ?? [];
        values[place] = value;
        keys.set(key, values);
      }
    });
    return [...keys].map(([key, values]) => ({ key, values, differs: new Set(runs.map((_, place) => JSON.stringify(values[place]))).size > 1 })).sort((a, b) => Number(b.differs) - Number(a.differs));
  }, [runs]);
  return (
    <div class="page">
      <a class="back" href="#/"><Icon name="back" />All runs</a>
      <h1>Comparison of {few.length} runs</h1>
      {few.filter((id) => errors[id]).map((id) => <div key={id} class="banner warn" role="alert">{id}: {errors[id]}</div>)}
      {runs.filter((run) => run.details.removed > 0).map((run) => <div key={run.id} class="banner warn">{run.label}: {plural(run.details.removed, "record")} of it were delivered and removed from this machine: what is shown of it is incomplete.</div>)}
      <div class="card compare-box" tabIndex={0} role="region" aria-label="The runs side by side">
        <table class="compare">
          <thead>
            <tr>
              <th scope="col"><span class="visually-hidden">Of the run</span></th>
              {runs.map((run) => (
                <th key={run.id} scope="col"><i class={`swatch line-${run.colour}`} /><a href={`#/run/${encodeURIComponent(run.id)}`}>{run.label}</a></th>
              ))}
            </tr>
          </thead>
          <tbody>
            <tr><th scope="row">state</th>{runs.map((run) => <td key={run.id}><StatePill row={run.details.row} /></td>)}</tr>
            <tr><th scope="row">started</th>{runs.map((run) => <td key={run.id}>{clock(run.details.row.start)}</td>)}</tr>
            <tr><th scope="row">duration</th>{runs.map((run) => <td key={run.id}>{duration(lasted(run.details.row, now))}</td>)}</tr>
            <tr><th scope="row">progress</th>{runs.map((run) => <td key={run.id}>{percent(run.details.row.progress?.ratio ?? null)}</td>)}</tr>
            <tr><th scope="row">version</th>{runs.map((run) => <td key={run.id}>{run.details.row.version || text(run.details.resource["service.version"] ?? "–")}</td>)}</tr>
            {params.slice(0, 40).map(({ key, values, differs }) => (
              <tr key={key} class={differs ? "differs" : ""}><th scope="row">{key}</th>{runs.map((run, place) => <td key={run.id}>{values[place] === undefined ? "–" : text(values[place])}</td>)}</tr>
            ))}
          </tbody>
        </table>
      </div>
      <section class="section" aria-label="Metrics"><div class="section-head"><h2>Metrics</h2><span class="muted small">Drag to zoom, double click to show all</span></div>
        <Metrics source={source} runs={runs} />
      </section>
    </div>
  );
}
