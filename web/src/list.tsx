import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ago, clock, count, duration, plural } from "./format";
import { useNow } from "./hooks";
import { nearest } from "./nearest";
import { Bar, entries, lasted, ProgressText, StatePill, Tags, title, verdict, work } from "./parts";
import type { Row, Source } from "./types";

const STEP = 60;
const TONES = ["live", "stalled", "crashed", "failed", "done"] as const;
type Sort = "start" | "duration" | "pending" | "name";

/** The word that the list is filtered by. */
function group(row: Row): string {
  const { word, tone } = verdict(row);
  return tone === "bad" && word !== "crashed" ? "failed" : word === "skipped" || word === "cancelled" ? "done" : word;
}

export function ListPage({ source }: { source: Source }) {
  const [rows, setRows] = useState<Map<string, Row>>(new Map());
  const [ids, setIds] = useState<string[]>([]);
  const [complete, setComplete] = useState(false);
  const [connected, setConnected] = useState(true);
  const [text, setText] = useState("");
  const [state, setState] = useState<string | null>(null);
  const [sort, setSort] = useState<Sort>("start");
  const [chosen, setChosen] = useState<Set<string>>(new Set());
  const [shown, setShown] = useState(STEP);
  const now = useNow(1000);
  const end = useRef<HTMLDivElement>(null);

  useEffect(() => {
    document.title = "Runs · synapse-otel";
    return source.watch(
      { list: true },
      {
        rows: (event) => {
          setRows((before) => {
            const after = new Map(before);
            for (const row of event.rows) after.set(row.id, row);
            return after;
          });
          if (event.ids) setIds(event.ids);
          setComplete(event.complete);
        },
        connected: setConnected,
      },
    );
  }, [source]);

  const every = useMemo(() => ids.map((id) => rows.get(id)).filter((row): row is Row => !!row), [ids, rows]);
  const all = useMemo(() => entries(every), [every]);
  const counts = useMemo(() => {
    const found: Record<string, number> = {};
    for (const row of all) found[group(row)] = (found[group(row)] ?? 0) + 1;
    return found;
  }, [all]);
  const matching = useMemo(() => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const named = every.filter((row) =>
      words.every((word) => [row.id, row.name, ...row.tags, row.action, row.plugin, row.version, row.job, row.result, row.error, row.state].join(" ").toLowerCase().includes(word)),
    );
    const found = entries(named).filter((row) => state === null || group(row) === state);
    if (sort === "duration") found.sort((a, b) => lasted(b, now) - lasted(a, now));
    if (sort === "pending") found.sort((a, b) => b.pending - a.pending);
    if (sort === "name") found.sort((a, b) => title(a).localeCompare(title(b)));
    if (sort === "start") found.sort((a, b) => b.start - a.start);
    return found;
  }, [every, text, state, sort, sort === "duration" ? now : 0]);
  const near = useMemo(() => (complete && !matching.length && text.trim() ? nearest(text, every.map(title)) : ""), [complete, matching, text, every]);

  useEffect(() => setShown(STEP), [text, state, sort]);
  useEffect(() => {
    if (!end.current) return;
    const observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) setShown((before) => before + STEP);
    }, { rootMargin: "600px" });
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [matching.length > shown]);

  const toggle = (id: string) =>
    setChosen((before) => {
      const after = new Set(before);
      if (!after.delete(id)) after.add(id);
      return after;
    });
  const picked = [...chosen].filter((id) => rows.has(id));
  const choices = [...new Set([...TONES.filter((tone) => counts[tone]), ...Object.keys(counts)])];

  return (
    <div class="page">
      <div class="list-head">
        <h1>Runs</h1>
        <p class="muted" role="status">
          {!connected ? "The server does not answer; this view may be outdated." : complete ? plural(all.length, "run") : `reading ${count(every.length)} of ${count(ids.length)} …`}
        </p>
      </div>
      <div class="tools">
        <input type="search" placeholder="Filter by name, tag, plugin, job, result" aria-label="Filter runs" value={text} onInput={(event) => setText(event.currentTarget.value)} />
        <div class="chips" role="group" aria-label="Filter by state">
          <button type="button" class="chip" aria-pressed={state === null} onClick={() => setState(null)}>
            all <span>{count(all.length)}</span>
          </button>
          {choices.map((tone) => (
            <button key={tone} type="button" class="chip" aria-pressed={state === tone} onClick={() => setState(state === tone ? null : tone)}>
              {tone} <span>{count(counts[tone] ?? 0)}</span>
            </button>
          ))}
        </div>
        <label class="sort">
          <span class="muted">Sort by</span>
          <select value={sort} onChange={(event) => setSort(event.currentTarget.value as Sort)}>
            <option value="start">newest</option>
            <option value="duration">longest</option>
            <option value="pending">most pending</option>
            <option value="name">name</option>
          </select>
        </label>
      </div>
      {complete && !ids.length && (
        <div class="empty">
          <p>No run has been recorded here yet.</p>
          <p class="muted">Start a job; it appears by itself. <code>SYNAPSE_OTEL_JOURNAL_DIR</code> sets the folder.</p>
        </div>
      )}
      {complete && ids.length > 0 && !matching.length && (
        <div class="empty">
          <p>No run matches.</p>
          {near && <p>The nearest is <button type="button" class="quiet" onClick={() => setText(near)}>{near}</button></p>}
        </div>
      )}
      {matching.length > 0 && (
        <div class="runs" role="table" aria-label="Runs">
          <div class="run-row run-labels" role="row">
            <span role="columnheader"><span class="visually-hidden">Compare</span></span>
            <span role="columnheader">State</span>
            <span role="columnheader">Run</span>
            <span role="columnheader">Progress</span>
            <span role="columnheader">Started</span>
            <span role="columnheader" class="right">Duration</span>
            <span role="columnheader" class="right">Pending</span>
          </div>
          {matching.slice(0, shown).map((row) => (
            <RunRow key={row.id} row={row} now={now} chosen={chosen.has(row.id)} toggle={toggle} />
          ))}
        </div>
      )}
      {matching.length > shown && <div ref={end} class="muted more">…</div>}
      {picked.length > 0 && (
        <div class="tray" role="region" aria-label="Comparison">
          <span>{plural(picked.length, "run")} chosen</span>
          <button type="button" class="quiet" onClick={() => setChosen(new Set())}>Clear</button>
          {picked.length > 1 ? (
            <a class="button" href={`#/compare/${picked.slice(0, 8).map(encodeURIComponent).join(",")}`}>Compare{picked.length > 8 ? " the first 8" : ""}</a>
          ) : (
            <span class="muted">choose one more to compare</span>
          )}
        </div>
      )}
    </div>
  );
}

function RunRow({ row, now, chosen, toggle }: { row: Row; now: number; chosen: boolean; toggle: (id: string) => void }) {
  const lives = row.state === "live" || row.state === "stalled";
  const { tone } = verdict(row);
  return (
    <div class={`run-row ${tone}`} role="row" data-run={row.id}>
      <span role="cell" class="cell-check">
        <input type="checkbox" checked={chosen} onChange={() => toggle(row.id)} aria-label={`Compare ${title(row)} ${work(row)} ${row.job}`} />
      </span>
      <span role="cell" class="cell-state"><StatePill row={row} /></span>
      <span role="cell" class="cell-name">
        <a href={`#/run/${encodeURIComponent(row.id)}`}>{title(row)}</a>
        {row.attempts.length > 0 && <span class="muted"> attempt {row.attempts.indexOf(row.id) + 1} of {row.attempts.length}</span>}
        <Tags tags={row.tags} />
        <span class="sub">
          {row.error && <span class="bad-text">{row.error} · </span>}
          {row.notes.map((note) => <span class="warn-text" key={note}>{note} · </span>)}
          {work(row) || row.id}
          {row.jobs > 1 && ` · ${row.jobs} jobs`}
        </span>
      </span>
      <span role="cell" class="cell-progress">
        {row.progress && (
          <>
            <Bar ratio={row.progress.ratio} tone={tone} label={`Progress of ${title(row)}`} />
            <span class="small"><ProgressText progress={row.progress} now={now} lives={row.state === "live"} /></span>
          </>
        )}
      </span>
      <span role="cell" class="cell-start" title={clock(row.start)}>{ago(row.start, now)}</span>
      <span role="cell" class="right cell-duration" data-label="took">{duration(lasted(row, now))}{lives && <span class="visually-hidden"> so far</span>}</span>
      <span role="cell" class={`right cell-pending ${row.pending ? "" : "muted"}`} data-label="pending">{count(row.pending)}</span>
    </div>
  );
}
