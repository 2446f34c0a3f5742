import { useEffect, useMemo, useState } from "preact/hooks";
import { Failure } from "./failure";
import { clock, count, duration, percent, plural, shown as text } from "./format";
import { useNow, useRuns } from "./hooks";
import { Metrics } from "./charts/metrics";
import { Gallery } from "./images/gallery";
import { Bar, Copied, Icon, lasted, Pairs, remaining, Section, StatePill, Tags, title, verdict, work } from "./parts";
import { ProgressList } from "./progress";
import { Records } from "./records";
import type { Details, Source } from "./types";
import { hasUsage, Usage } from "./usage";
import { Waterfall } from "./waterfall";

export function RunPage({ source, id }: { source: Source; id: string }) {
  const ids = useMemo(() => [id], [id]);
  const { details: all, errors, connected } = useRuns(source, ids);
  const details = all[id];
  const lives = details?.lives ?? false;
  const ticking = useNow(500, source.live);
  const [at, setAt] = useState<number | null>(null);
  useEffect(() => {
    if (details) document.title = `${verdict(details.row).word} · ${title(details.row)} · synapse-otel`;
  }, [details && verdict(details.row).word]);
  const shown = useMemo(() => (details ? [{ id, label: title(details.row), colour: 0, details }] : []), [id, details]);

  const back = source.only === null && <a class="back" href="#/"><Icon name="back" />All runs</a>;
  if (!details) {
    return (
      <div class="page">
        {back}
        {errors[id] ? <div class="banner warn" role="alert">{errors[id]}</div> : <p class="muted" role="status">Reading the journal …</p>}
      </div>
    );
  }
  const now = source.live ? ticking : details.now;
  const { row } = details;
  const products = details.spans.find((span) => span.role === "job")?.products ?? {};
  const params = details.spans.find((span) => span.role === "job")?.params ?? {};
  const notes = [...new Set(details.jobs.map((job) => job.notes).filter(Boolean))];
  const goTo = (n: number) => {
    setAt(null);
    setTimeout(() => setAt(n), 0);
    document.getElementById("messages")?.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  };
  return (
    <div class="page">
      {back}
      <div class="run-head">
        <div class="run-title">
          <h1>{title(row)}</h1>
          <StatePill row={row} />
        </div>
        <p class="run-work">
          <span>{work(row)}{!row.version && <span class="muted"> {text(details.resource["service.version"] ?? "")}</span>}</span>
          <Tags tags={row.tags} />
        </p>
        {notes.map((note) => <p key={note} class="run-notes">{note}</p>)}
        {details.attempts.length > 1 && <AttemptList details={details} />}
        <p class="run-ids">
          <span class="muted">started {clock(row.start)}</span>
          {row.job && <Copied text={row.job} label="job id" named="job" />}
          {details.jobs.slice(0, 3).map((job) => job.trace && <Trace key={job.trace} trace={job.trace} jaeger={details.jaeger} />)}
        </p>
      </div>
      {!connected && source.live && <div class="banner warn" role="alert">The server does not answer; this view may be outdated.</div>}
      {errors[id] && <div class="banner warn" role="alert">{errors[id]}</div>}
      {details.reading < 1 && <div class="banner" role="status">Reading the journal: {percent(details.reading)} …</div>}
      {details.notes.map((note) => <div key={note} class="banner warn">{note}</div>)}
      <Figures details={details} now={now} />
      <Failure details={details} onRecord={goTo} />
      <nav class="sections" aria-label="Parts of this page">
        {[["steps", "Steps"], ["metrics", `Metrics ${details.series.length + details.metric_texts.length || ""}`], ...(details.logs.images ? [["images", `Images ${count(details.logs.images)}`]] : []), ...(hasUsage(details) ? [["usage", "Usage"]] : []), ["messages", `Messages ${count(details.logs.total - details.logs.metric_texts)}`], ["about", "About"]].map(([target, word]) => (
          <a key={target} href={`#${target}`} onClick={(event) => { event.preventDefault(); document.getElementById(target!)?.scrollIntoView(); }}>{word}</a>
        ))}
      </nav>
      <div class="two">
        <Section id="steps" title="Steps"><Waterfall details={details} now={now} /></Section>
        <Section id="progress" title="Progress"><ProgressList details={details} now={now} /></Section>
      </div>
      <Section id="metrics" title="Metrics" note={details.series.length > 0 && <span class="muted small"><span class="by-mouse">Drag to zoom, double click</span><span class="by-touch">Pinch to zoom, double tap</span> to show all</span>}>
        <Metrics source={source} runs={shown} />
      </Section>
      {details.logs.images > 0 && <Section id="images" title="Images" note={source.live && <span class="muted small">Read from their files, which stay where the job wrote them</span>}><Gallery source={source} details={details} /></Section>}
      {hasUsage(details) && <Section id="usage" title="Resource usage"><Usage details={details} /></Section>}
      <Section id="messages" title="Messages and events">
        <Records source={source} details={details} at={at} />
      </Section>
      <Section id="about" title="About this run">
        <div class="about">
          <div class="card">
            <Delivery details={details} />
          </div>
          {Object.keys(params).length > 0 && <div class="card"><Pairs label="Parameters" values={params} /></div>}
          {Object.keys(products).length > 0 && <div class="card"><Pairs label="Made" values={products} /></div>}
          <div class="card"><Pairs label="Environment" values={details.resource} /></div>
          <div class="card"><h3>Files</h3>{details.folders.map((folder) => <p key={folder} class="path"><Copied text={folder} label="folder" /></p>)}</div>
        </div>
      </Section>
      {lives && <p class="visually-hidden" role="status">{`${title(row)} is ${row.state}`}</p>}
    </div>
  );
}

/** The runs of a job that was resumed, each of which can be opened. */
function AttemptList({ details }: { details: Details }) {
  return (
    <p class="run-attempts">
      <span class="muted">attempts</span>
      {details.attempts.map((one, at) => {
        const said = `${at + 1} ${one.word}`;
        const hint = `${one.name}, started ${clock(one.start)}`;
        return one.id === details.row.id ? <b key={one.id} aria-current="page" title={hint}>{said}</b> : <a key={one.id} href={`#/run/${encodeURIComponent(one.id)}`} title={hint}>{said}</a>;
      })}
    </p>
  );
}

function Trace({ trace, jaeger }: { trace: string; jaeger: string | null }) {
  return (
    <>
      <Copied text={trace} label="trace id" named="trace" />
      {jaeger && <a class="out" href={`${jaeger}/trace/${trace}`} target="_blank" rel="noreferrer noopener">Open in Jaeger<Icon name="out" /></a>}
    </>
  );
}

function Figures({ details, now }: { details: Details; now: number }) {
  const { row } = details;
  const left = row.progress && row.state === "live" ? remaining(row.progress, now) : null;
  const { tone } = verdict(row);
  return (
    <dl class="figures">
      <div>
        <dt>{details.lives ? "Running for" : row.state === "crashed" ? "Lived for" : "Took"}</dt>
        <dd>{duration(lasted(row, now))}</dd>
      </div>
      {row.progress && (
        <div class="figure-progress">
          <dt>Progress{row.progress.category && ` of ${row.progress.category}`}</dt>
          <dd>{percent(row.progress.ratio)}<Bar ratio={row.progress.ratio} tone={tone} label="Progress" /></dd>
        </div>
      )}
      {details.lives && (
        <div>
          <dt>{row.state === "stalled" ? "Silent for" : "Time left"}</dt>
          <dd>{row.state === "stalled" ? duration(now - details.last) : left === null ? "–" : duration(left)}</dd>
        </div>
      )}
      <div>
        <dt>Warnings, errors</dt>
        <dd>{count((details.logs.least.warning ?? 0) - (details.logs.least.error ?? 0))}<span class="muted">, </span><span class={details.logs.errors ? "bad-text" : ""}>{count(details.logs.errors)}</span></dd>
      </div>
      <div>
        <dt>Pending records</dt>
        <dd class={row.dropped ? "bad-text" : ""}>{count(row.pending)}{row.dropped > 0 && <small> · {count(row.dropped)} dropped</small>}</dd>
      </div>
    </dl>
  );
}

function Delivery({ details }: { details: Details }) {
  const entries = Object.entries(details.signals).filter(([, one]) => one.emitted || one.attempts);
  const failures = [...new Set(entries.map(([, one]) => one.failure).filter(Boolean))];
  return (
    <>
      <h3>Delivery</h3>
      {entries.length ? (
        <table class="account">
          <thead><tr><th scope="col">signal</th><th scope="col">emitted</th><th scope="col">delivered</th><th scope="col">pending</th><th scope="col">dropped</th></tr></thead>
          <tbody>
            {entries.map(([name, one]) => {
              const dropped = Object.values(one.dropped).reduce((sum, value) => sum + value, 0);
              return (
                <tr key={name}>
                  <th scope="row">{name}</th><td>{count(one.emitted)}</td><td>{count(one.delivered)}</td><td>{count(one.pending)}</td>
                  <td class={dropped ? "bad-text" : ""} title={Object.entries(one.dropped).map(([why, value]) => `${value} ${why}`).join(", ")}>{count(dropped)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      ) : (
        <p class="muted">Nothing was emitted.</p>
      )}
      {failures.map((failure) => <p key={failure} class="warn-text small">{failure}</p>)}
      {!details.lives && details.row.pending > 0 && <p class="muted small">{plural(details.row.pending, "record")} wait; <code>synapse-otel sync</code> delivers them.</p>}
    </>
  );
}
