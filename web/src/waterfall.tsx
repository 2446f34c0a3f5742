import { useMemo, useState } from "preact/hooks";
import { duration, offset, removedText, shown, tick } from "./format";
import { Icon, Pairs } from "./parts";
import type { Details, Span } from "./types";

const ROWS = 200;

interface Look {
  tone: string;
  icon: string;
  word: string;
}

function look(span: Span, details: Details): Look {
  if (span.skipped) return { tone: "muted", icon: "skip", word: "skipped" };
  if (span.end === null && !details.lives) return { tone: "bad", icon: "cross", word: "killed" };
  if (span.failed) return { tone: span.role === "rollback" ? "bad" : "bad", icon: "cross", word: span.result ?? "failed" };
  if (span.end === null) return { tone: "live", icon: "play", word: "running" };
  if (span.role === "rollback") return { tone: "rollback", icon: "undo", word: "" };
  if (span.role === "other") return { tone: "plain", icon: "dot", word: "" };
  return { tone: "good", icon: "check", word: span.result ?? "" };
}

function allDelivered(details: Details): boolean {
  const traces = details.signals.traces;
  return traces !== undefined && traces.emitted > 0 && traces.delivered === traces.emitted;
}

export function endOf(span: Span, details: Details, now: number): number {
  return span.end ?? Math.max(span.start, details.lives ? now : details.last);
}

/** Round distances between the lines of the time axis. */
function ticks(whole: number): number[] {
  const raw = whole / 5;
  const power = 10 ** Math.floor(Math.log10(Math.max(raw, 1e-3)));
  const unit = [60000, 3600000].reduce((found, size) => (raw > size * 0.8 ? size : found), 0);
  const step = unit
    ? [1, 2, 5, 10, 15, 30, 60, 120, 240].map((n) => n * unit).find((n) => n >= raw) ?? raw
    : ([1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw) ?? raw);
  const found: number[] = [];
  for (let at = 0; at <= whole * 1.0001 && found.length < 12; at += step) found.push(at);
  return found;
}

export function Waterfall({ details, now }: { details: Details; now: number }) {
  const [open, setOpen] = useState<string | null>(null);
  const [folded, setFolded] = useState<Set<string>>(new Set());
  const [limit, setLimit] = useState(ROWS);
  const spans = details.spans;
  const begin = useMemo(() => spans.reduce((found, span) => Math.min(found, span.start), spans[0]?.start ?? 0), [spans]);
  const end = spans.reduce((found, span) => Math.max(found, endOf(span, details, now)), begin + 1);
  const parents = useMemo(() => new Set(spans.map((span) => span.parent)), [spans]);
  const names = useMemo(() => new Map(spans.map((span) => [span.id, span.name])), [spans]);
  const visible = useMemo(() => {
    const found: Span[] = [];
    let hidden = Infinity;
    for (const span of spans) {
      if (span.depth > hidden) continue;
      hidden = folded.has(span.id) ? span.depth : Infinity;
      found.push(span);
    }
    return found;
  }, [spans, folded]);
  if (!spans.length) return <p class="muted empty-line">{details.removed ? removedText : "No step has begun yet."}</p>;

  const whole = end - begin;
  const fold = (id: string) =>
    setFolded((before) => {
      const after = new Set(before);
      if (!after.delete(id)) after.add(id);
      return after;
    });
  return (
    <div class="card waterfall">
      <div class="wf-row wf-axis" aria-hidden="true">
        <span />
        <span class="wf-track">
          {ticks(whole).map((at) => (
            <span key={at} class="wf-tick" style={{ left: `${(at / whole) * 100}%` }}>
              <i>{tick(at)}</i>
            </span>
          ))}
        </span>
        <span />
      </div>
      <ul>
        {visible.slice(0, limit).map((span) => {
          const seen = look(span, details);
          const last = endOf(span, details, now);
          const left = Math.min(Math.max((span.start - begin) / whole, 0), 1) * 100;
          const width = Math.max(((last - span.start) / whole) * 100, 0);
          const weight = span.attributes["synapse.step.weight"];
          return (
            <li key={span.id} class={`${seen.tone} ${span.role}`} data-span={span.name}>
              <div class={`wf-row ${open === span.id ? "open" : ""}`}>
                <span class="wf-name" style={{ paddingLeft: `${Math.min(span.depth, 8) * 14}px` }}>
                  {parents.has(span.id) ? (
                    <button type="button" class="fold" aria-expanded={!folded.has(span.id)} aria-label={`Steps of ${span.name}`} onClick={() => fold(span.id)}>
                      <Icon name="back" />
                    </button>
                  ) : (
                    <span class="fold" />
                  )}
                  <button type="button" class="wf-open" aria-expanded={open === span.id} onClick={() => setOpen(open === span.id ? null : span.id)} title={span.name}>
                    <span class="wf-mark"><Icon name={seen.icon} /></span>
                    <span class="wf-label">{span.name}</span>
                    {seen.word && seen.word !== "success" && <span class="wf-word">{seen.word}</span>}
                  </button>
                </span>
                <span class="wf-track" aria-hidden="true">
                  {ticks(whole).map((at) => <span key={at} class="wf-tick" style={{ left: `${(at / whole) * 100}%` }} />)}
                  <span class={`wf-bar ${span.end === null ? "unfinished" : ""}`} style={{ left: `${left}%`, width: `${Math.min(width, 100 - left)}%` }} />
                </span>
                <span class="wf-time">{span.skipped ? "–" : duration(last - span.start)}</span>
              </div>
              {span.error && open !== span.id && span.role !== "job" && <p class="wf-error">{span.error}</p>}
              {open === span.id && (
                <div class="wf-details">
                  {span.error && <p class="bad-text">{span.error}</p>}
                  <p class="muted">
                    begins {offset(span.start - begin)}
                    {span.end === null ? (details.lives ? ", still running" : ", never ended: its process died") : `, took ${duration(last - span.start)}`}
                    {weight !== undefined && ` · weight ${shown(weight)}`}
                    {span.events > 0 && ` · ${span.events} events`}
                    {span.links.some((id) => names.has(id)) && ` · because of ${span.links.map((id) => names.get(id)).filter(Boolean).join(", ")}`}
                  </p>
                  <Pairs label="Parameters" values={span.params} />
                  <Pairs label="Made" values={span.products} />
                  <Pairs label="Attributes" values={span.attributes} />
                </div>
              )}
            </li>
          );
        })}
      </ul>
      {(visible.length > limit || details.spans_left_out > 0) && (
        <p class="muted more-line">
          {visible.length > limit && <button type="button" class="quiet" onClick={() => setLimit(limit + ROWS)}>Show {Math.min(visible.length - limit, ROWS)} more</button>}
          {details.spans_left_out > 0 && ` ${details.spans_left_out.toLocaleString("en-US")} spans are not shown here${allDelivered(details) ? ": Jaeger has them all" : ""}.`}
        </p>
      )}
    </div>
  );
}
