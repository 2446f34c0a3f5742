import { useMemo, useState } from "preact/hooks";
import { clock, duration, number, percent, plural, shown as text } from "./format";
import { useNow, useRuns } from "./hooks";
import { swatch } from "./charts/chart";
import { differing, labelsOf, paramsOf } from "./charts/labels";
import { Metrics } from "./charts/metrics";
import { Relations } from "./charts/relations";
import { best, bestPlaces, isAxis, isLower, metricsOf } from "./charts/panels";
import { Icon, lasted, StatePill, title } from "./parts";
import type { Source } from "./types";

/** Runs beside each other at most; as many as the server keeps open. */
const MOST = 24;
/** Rows of the table before one asks for more. */
const ROWS = 40;
const BEST = 8;

export function ComparePage({ source, ids }: { source: Source; ids: string[] }) {
  const few = useMemo(() => [...new Set(ids)].slice(0, MOST), [ids.join(",")]);
  const { details, errors } = useRuns(source, few);
  const now = useNow(1000);
  const runs = useMemo(() => {
    const found = few.filter((id) => details[id]);
    const labels = labelsOf(found.map((id) => details[id]!));
    return found.map((id, place) => ({ id, colour: few.indexOf(id), details: details[id]!, label: labels[place]! }));
  }, [few, details]);
  const params = useMemo(() => {
    const found = runs.map((run) => paramsOf(run.details));
    const first = differing(found);
    const same = [...new Set(found.flatMap((one) => Object.keys(one)))].filter((key) => !first.includes(key));
    return [...first, ...same].map((key, at) => ({ key, values: found.map((one) => one[key]), differs: at < first.length }));
  }, [runs]);
  const metrics = useMemo(() => metricsOf(runs).filter((panel) => !isAxis(panel) && panel.of.length > 1 && panel.of.some((one) => one.series.count > 1)), [runs]);
  const [all, setAll] = useState(false);
  return (
    <div class="page">
      <a class="back" href="#/"><Icon name="back" />All runs</a>
      <h1>Comparison of {few.length} runs</h1>
      {new Set(ids).size > MOST && <div class="banner warn">Of {new Set(ids).size} runs, the first {MOST} are compared.</div>}
      {few.filter((id) => errors[id]).map((id) => <div key={id} class="banner warn" role="alert">{id}: {errors[id]}</div>)}
      {runs.filter((run) => run.details.removed > 0).map((run) => <div key={run.id} class="banner warn">{run.label}: {plural(run.details.removed, "record")} of it were delivered and removed from this machine: what is shown of it is incomplete.</div>)}
      <div class="card compare-box" tabIndex={0} role="region" aria-label="The runs side by side">
        <table class="compare">
          <thead>
            <tr>
              <th scope="col"><span class="visually-hidden">Of the run</span></th>
              {runs.map((run) => (
                <th key={run.id} scope="col"><i class={swatch(run.colour)} /><a href={`#/run/${encodeURIComponent(run.id)}`}>{title(run.details.row)}</a>{run.label !== title(run.details.row) && <span class="muted compare-label">{run.label}</span>}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            <tr><th scope="row">state</th>{runs.map((run) => <td key={run.id}><StatePill row={run.details.row} /></td>)}</tr>
            <tr><th scope="row">started</th>{runs.map((run) => <td key={run.id}>{clock(run.details.row.start)}</td>)}</tr>
            <tr><th scope="row">duration</th>{runs.map((run) => <td key={run.id}>{duration(lasted(run.details.row, now))}</td>)}</tr>
            <tr><th scope="row">progress</th>{runs.map((run) => <td key={run.id}>{percent(run.details.row.progress?.ratio ?? null)}</td>)}</tr>
            <tr><th scope="row">version</th>{runs.map((run) => <td key={run.id}>{run.details.row.version || text(run.details.resource["service.version"] ?? "–")}</td>)}</tr>
            {metrics.slice(0, BEST).map((panel) => {
              const values = runs.map((run) => panel.of.find((one) => one.run.id === run.id)).map((one) => one && best(one.series));
              const top = bestPlaces(panel.name, values);
              return <tr key={panel.key}><th scope="row" title={`${panel.category} ${panel.name}`}><span class="compare-metric"><span>{isLower(panel.name) ? "min" : "max"} {panel.category && `${panel.category} / `}</span><b>{panel.name}</b></span></th>{values.map((value, at) => <td key={runs[at]!.id} class={top.has(at) ? "best" : ""}>{number(value)}</td>)}</tr>;
            })}
            {params.slice(0, all ? undefined : ROWS).map(({ key, values, differs }) => (
              <tr key={key} class={differs ? "differs" : ""}><th scope="row">{key}</th>{runs.map((run, place) => <td key={run.id}>{values[place] === undefined ? "–" : text(values[place]!)}</td>)}</tr>
            ))}
          </tbody>
        </table>
      </div>
      {params.length > ROWS && !all && <p class="more-line"><button type="button" class="quiet" onClick={() => setAll(true)}>Show all {params.length} parameters</button></p>}
      <Relations runs={runs} />
      <section class="section" aria-label="Metrics"><div class="section-head"><h2>Metrics</h2><span class="muted small">Drag to zoom, double click to show all</span></div>
        <Metrics source={source} runs={runs} />
      </section>
    </div>
  );
}
