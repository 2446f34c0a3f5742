import { useEffect, useRef, useState } from "preact/hooks";
import { clock, count, offset, plural, removedText, shown } from "./format";
import { usePaced } from "./hooks";
import { RecordImage } from "./images/gallery";
import { Copied, Icon, Marked, Pairs } from "./parts";
import type { Details, LogQuery, LogRecord, Source } from "./types";

const ROW = 28;
const PAGE = 200;
const AHEAD = 20;
/** Texts that a metric has at every epoch would flood the messages; a search finds them in any case. */
const ALL: LogQuery = { level: "", audience: "all", category: null, q: "", texts: false };

function level(one: LogRecord): { word: string; tone: string } {
  const words: Partial<Record<LogRecord["kind"], string>> = { event: "event", developer: "dev", exception: "error", life: "job" };
  const word = one.context || words[one.kind] || "log";
  if (one.severity >= 17) return { word, tone: "bad" };
  if (one.severity >= 13) return { word, tone: "warn" };
  if (one.severity >= 10) return { word, tone: "good" };
  if (one.kind === "developer" || one.severity <= 8) return { word, tone: "muted" };
  return { word, tone: one.kind === "event" ? "rollback" : "live" };
}

export function summary(one: LogRecord): string {
  const parts = [];
  if (one.kind === "event") parts.push(one.event);
  if (one.kind === "logging" && one.scope) parts.push(`${one.scope}:`);
  if (one.text && !(one.kind === "event" && one.text === one.event)) parts.push(one.text.slice(0, 500));
  for (const [key, value] of Object.entries(one.data).slice(0, 12)) parts.push(`${key}=${shown(value).slice(0, 120)}`);
  if (one.file) parts.push(one.file);
  return parts.join("  ").replace(/\s*\n\s*/g, " ⏎ ");
}

export function Records({ source, details, at }: { source: Source; details: Details; at: number | null }) {
  const [query, setQuery] = useState<LogQuery>(ALL);
  const [typed, setTyped] = useState("");
  const [matching, setMatching] = useState(0);
  const [rows, setRows] = useState<Map<number, LogRecord>>(new Map());
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(420);
  const [follow, setFollow] = useState(details.lives);
  const [active, setActive] = useState(0);
  const [open, setOpen] = useState<LogRecord | null>(null);
  const [failed, setFailed] = useState("");
  const box = useRef<HTMLDivElement>(null);
  const id = details.row.id;
  const key = JSON.stringify(query);

  const first = Math.max(Math.floor(top / ROW) - AHEAD, 0);
  const last = Math.min(Math.ceil((top + height) / ROW) + AHEAD, matching);
  const view = useRef({ first, last, key, loaded: new Set<number>(), matching: 0 });
  view.current.first = first;
  view.current.last = last;

  const load = usePaced(async () => {
    const asked = view.current.key;
    const pages = new Set<number>();
    for (let page = Math.floor(view.current.first / PAGE); page <= Math.floor(Math.max(view.current.last - 1, 0) / PAGE); page++) pages.add(page);
    try {
      for (const page of pages) {
        const whole = (page + 1) * PAGE <= view.current.matching;
        if (whole && view.current.loaded.has(page)) continue;
        const found = await source.records(id, { ...query, texts: query.texts || Boolean(query.q) }, page * PAGE, PAGE);
        if (view.current.key !== asked) return;
        if (found.rows.length === PAGE) view.current.loaded.add(page);
        view.current.matching = found.matching;
        setMatching(found.matching);
        setRows((before) => {
          const after = new Map(before);
          found.rows.forEach((row, place) => after.set(found.offset + place, row));
          return after;
        });
      }
      setFailed("");
    } catch (error) {
      setFailed(String((error as Error).message));
    }
  }, 120);

  useEffect(() => {
    view.current.key = key;
    view.current.loaded.clear();
    view.current.matching = 0;
    setRows(new Map());
    setMatching(0);
    setActive(0);
    if (box.current) box.current.scrollTop = 0;
    setTop(0);
    load();
  }, [key, id]);
  const reading = details.reading < 1;
  useEffect(() => {
    if (!reading) {
      view.current.loaded.clear();
      load();
    }
  }, [reading]);
  useEffect(load, [details.version, first, last]);
  useEffect(() => {
    const timer = setTimeout(() => setQuery((before) => ({ ...before, q: typed.trim() })), 180);
    return () => clearTimeout(timer);
  }, [typed]);
  useEffect(() => {
    if (follow && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [follow, matching, details.version]);
  useEffect(() => {
    if (!box.current) return;
    const observer = new ResizeObserver(() => setHeight(box.current?.clientHeight ?? 420));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (at !== null) {
      setTyped("");
      setQuery({ ...ALL, texts: true });
      setFollow(false);
      setTimeout(() => choose(at), 60);
    }
  }, [at]);

  const choose = (place: number, focus = false) => {
    const to = Math.min(Math.max(place, 0), Math.max((view.current.matching || details.logs.total) - 1, 0));
    setActive(to);
    const element = box.current;
    if (element) {
      if (to * ROW < element.scrollTop || to * ROW > element.scrollTop + element.clientHeight - ROW) {
        element.scrollTop = Math.max(to * ROW - element.clientHeight / 2, 0);
      }
      if (focus) setTimeout(() => element.querySelector<HTMLElement>(`[data-place="${to}"]`)?.focus({ preventScroll: true }), 40);
    }
  };
  const move = (event: KeyboardEvent) => {
    const page = Math.floor(height / ROW);
    const to = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page, Home: 0, End: matching - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    setFollow(false);
    choose(to, true);
  };
  const unfolded = details.logs.total - (query.texts || query.q ? 0 : details.logs.metric_texts);
  const words = query.q.toLowerCase().split(/\s+/).filter(Boolean);
  const begin = details.begin;
  const visible = [];
  for (let place = first; place < last; place++) visible.push(place);

  return (
    <div class="card records">
      <div class="tools">
        <input type="search" placeholder="Search messages and data" aria-label="Search messages" value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />
        <label>
          <span class="muted">Level</span>
          <select aria-label="Least level" value={query.level} onChange={(event) => setQuery({ ...query, level: event.currentTarget.value })}>
            <option value="">all</option>
            {(["info", "success", "warning", "error"] as const).map((word) => (
              <option key={word} value={word}>{word} and above ({count(details.logs.least[word] ?? 0)})</option>
            ))}
          </select>
        </label>
        <label>
          <span class="muted">For</span>
          <select aria-label="Audience" value={query.audience} onChange={(event) => setQuery({ ...query, audience: event.currentTarget.value })}>
            <option value="all">everybody</option>
            <option value="user">users ({count(details.logs.user)})</option>
            <option value="developer">developers ({count(details.logs.developer)})</option>
          </select>
        </label>
        {details.logs.categories.length > 1 && (
          <label>
            <span class="muted">In</span>
            <select aria-label="Category" value={query.category ?? ""} onChange={(event) => setQuery({ ...query, category: event.currentTarget.value || null })}>
              <option value="">all steps</option>
              {details.logs.categories.slice(0, 300).map((name) => <option key={name} value={name}>{name}</option>)}
            </select>
          </label>
        )}
        {details.logs.metric_texts > 0 && (
          <label class="check">
            <input type="checkbox" checked={query.texts} onChange={(event) => setQuery({ ...query, texts: event.currentTarget.checked })} />
            <span>Text metrics ({count(details.logs.metric_texts)})</span>
          </label>
        )}
        {details.lives && (
          <label class="check">
            <input type="checkbox" checked={follow} onChange={(event) => setFollow(event.currentTarget.checked)} />
            <span>Follow</span>
          </label>
        )}
        <span class="muted small matching" role="status">{failed ? <span class="bad-text">{failed}</span> : matching === unfolded ? plural(matching, "record") : `${count(matching)} of ${count(details.logs.total)}`}</span>
      </div>
      <div
        class="records-box"
        ref={box}
        onScroll={(event) => setTop(event.currentTarget.scrollTop)}
        onWheel={() => setFollow(false)}
        onKeyDown={move}
        role="region"
        aria-label="The records"
        style={{ height: `${Math.min(Math.max(matching, 3) * ROW + 2, 560)}px` }}
      >
        {!matching && <p class="muted empty-line">{details.logs.total ? "Nothing matches." : (details.removed ? removedText : "No messages yet.")}</p>}
        <div class="records-all" style={{ height: `${matching * ROW}px` }}>
          {visible.map((place) => {
            const row = rows.get(place);
            if (!row) return <div key={place} class="record loading" style={{ top: `${place * ROW}px` }} />;
            const { word, tone } = level(row);
            return (
              <button
                key={place}
                type="button"
                class={`record ${tone} ${row.kind}`}
                style={{ top: `${place * ROW}px` }}
                data-place={place}
                tabIndex={place === active || (place === first && (active < first || active >= last)) ? 0 : -1}
                aria-expanded={open?.n === row.n}
                onClick={() => {
                  setActive(place);
                  setOpen(open?.n === row.n ? null : row);
                }}
              >
                <span class="record-time" title={clock(row.time)}>{offset(row.time - begin)}</span>
                <span class="record-level">{word}</span>
                <span class="record-category">{row.category}</span>
                <span class="record-text">{row.image && <Icon name="image" />}<Marked text={summary(row)} words={words} /></span>
              </button>
            );
          })}
        </div>
      </div>
      {open && (
        <div class="record-details" role="region" aria-label="The chosen record">
          <div class="section-head">
            <h3>{open.event || open.kind}</h3>
            <button type="button" class="quiet" onClick={() => setOpen(null)}>Close</button>
          </div>
          <p class="muted small">{clock(open.time)} · {offset(open.time - begin)} · {open.kind}{open.category && ` · ${open.category}`}{open.scope && ` · ${open.scope}`}</p>
          {open.text && <pre class="record-whole">{open.text}</pre>}
          {open.file && <Copied text={open.file} label="path" />}
          {open.file && <RecordImage key={open.n} source={source} details={details} record={open} />}
          <Pairs label="Data" values={open.data} />
          <Pairs label="Attributes" values={open.more} />
        </div>
      )}
    </div>
  );
}
