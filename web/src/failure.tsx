import { useState } from "preact/hooks";
import { clock, offset, plural } from "./format";
import { Icon } from "./parts";
import { summary } from "./records";
import type { Details, Exception } from "./types";

/** What went wrong, first on the page: an exception with its stack, or how the process was ended. */
export function Failure({ details, onRecord }: { details: Details; onRecord: (n: number) => void }) {
  const open = details.spans.filter((span) => span.end === null && span.role !== "other").at(-1);
  const { exit, row } = details;
  const crashed = row.state === "crashed";
  if (!crashed && !details.exceptions.length && !(row.result && ["failure", "error", "timeout"].includes(row.result))) return null;
  const failed = details.spans.find((span) => span.failed && span.role === "step" && span.error) ?? details.spans.find((span) => span.failed && span.error);
  return (
    <section class="failure" aria-label="What went wrong">
      {crashed && (
        <div class="failure-head">
          <Icon name="cross" />
          <div>
            <h2>The process was killed{row.error === "oom_killed" ? ": out of memory" : exit?.signal ? ` by ${exit.signal}` : exit?.code != null ? `: exit status ${exit.code}` : ""}</h2>
            <p>
              Last sign of life {offset(details.last - details.begin)} ({clock(details.last)})
              {open && <>, in <strong>{open.name}</strong></>}. Its records up to then are complete.
            </p>
          </div>
        </div>
      )}
      {details.last_words.length > 0 && (
        <div class="last-words">
          <h3>Last messages</h3>
          <ul>
            {details.last_words.map((one) => (
              <li key={one.n}>
                <span class="muted">{offset(one.time - details.begin)}</span>{" "}
                <button type="button" class={`link ${one.severity >= 17 ? "bad-text" : one.severity >= 13 ? "warn-text" : ""}`} onClick={() => onRecord(one.n)}>{summary(one)}</button>
              </li>
            ))}
          </ul>
        </div>
      )}
      {!crashed && !details.exceptions.length && (
        <div class="failure-head">
          <Icon name="cross" />
          <div>
            <h2>{failed ? `${failed.name} failed` : "The job failed"}</h2>
            <p>{failed?.error || row.error || "It reported no reason."}</p>
          </div>
        </div>
      )}
      {details.exceptions.slice(0, 1).map((one) => <Raised key={one.n} one={one} details={details} onRecord={onRecord} first />)}
      {details.exceptions.length > 1 && (
        <details class="more-exceptions">
          <summary>{details.exceptions.length - 1} more</summary>
          {details.exceptions.slice(1).map((one) => <Raised key={one.n} one={one} details={details} onRecord={onRecord} />)}
        </details>
      )}
      {exit && exit.stderr.length > 0 && (
        <details open={crashed && !details.exceptions.length}>
          <summary>Last lines of stderr</summary>
          <pre class="stack">{exit.stderr.join("\n")}</pre>
        </details>
      )}
    </section>
  );
}

function Raised({ one, details, onRecord, first = false }: { one: Exception; details: Details; onRecord: (n: number) => void; first?: boolean }) {
  const [whole, setWhole] = useState(false);
  const lines = one.stack.trimEnd().split("\n");
  const frames = groups(lines);
  const own = frames.filter((frame) => !frame.library);
  const shown = whole || !own.length ? frames : own;
  const place = details.spans.find((span) => span.id === one.span);
  return (
    <div class={first ? "raised first" : "raised"}>
      <div class="failure-head">
        <Icon name="cross" />
        <div>
          {first ? <h2><span class="bad-text">{one.type}</span></h2> : <h3><span class="bad-text">{one.type}</span></h3>}
          <p class="failure-message">{one.message}</p>
          <p class="muted small">
            {offset(one.time - details.begin)}
            {(place?.name || one.category) && <> in <strong>{place?.name || one.category}</strong></>} ·{" "}
            <button type="button" class="link" onClick={() => onRecord(one.n)}>messages before it</button>
          </p>
        </div>
      </div>
      {one.stack && (
        <>
          <pre class="stack" tabIndex={0} aria-label="Stack">
            {shown.map((frame, at) => (
              <span key={at} class={frame.library ? "frame library" : frame.frame ? "frame own" : "frame"}>{frame.text}{"\n"}</span>
            ))}
          </pre>
          {own.length > 0 && own.length < frames.length && (
            <button type="button" class="quiet small" aria-expanded={whole} onClick={() => setWhole(!whole)}>
              {whole ? "Hide the frames of libraries" : `Show ${plural(frames.length - own.length, "frame")} of libraries`}
            </button>
          )}
        </>
      )}
    </div>
  );
}

interface Frame {
  text: string;
  frame: boolean;
  library: boolean;
}

/** The lines of a stack by frame: those of packages that are installed are the way to the plugin's own. */
function groups(lines: string[]): Frame[] {
  const found: Frame[] = [];
  for (const line of lines) {
    const frame = /^\s*File "([^"]*)", line \d+/.exec(line);
    if (frame) found.push({ text: line, frame: true, library: /site-packages|dist-packages|[/\\]synapse_otel[/\\]|[/\\]lib[/\\]python3/.test(frame[1]!) });
    else if (/^\s/.test(line) && found.at(-1)?.frame) found.at(-1)!.text += `\n${line}`;
    else found.push({ text: line, frame: false, library: false });
  }
  return found;
}
