import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { count, plural } from "./format";
import { useKept, useNow } from "./hooks";
import { Chooser } from "./list/chooser";
import { type Column, columns as columnsOf, fieldNames, fields, type Names, namesOf, order, unasked } from "./list/columns";
import { Exports } from "./list/exports";
import { matches, type Mistake, parse } from "./list/query";
import type { Group } from "./list/row";
import { Table } from "./list/table";
import { Tray } from "./list/tray";
import { useView } from "./list/view";
import { nearest } from "./nearest";
import { entries, title, verdict } from "./parts";
import type { Row, Source } from "./types";

const TONES = ["live", "stalled", "crashed", "failed", "done"] as const;
const GROUPED = ["plugin", "action", "version", "result", "tags", "revision", "host"];

/** The word that the list is filtered by. */
function stateOf(row: Row): string {
  const { word, tone } = verdict(row);
  return tone === "bad" && word !== "crashed" ? "failed" : word === "skipped" || word === "cancelled" ? "done" : word;
}

/** The rows of the list, kept up to date. */
function useRows(source: Source) {
  const [rows, setRows] = useState<Map<string, Row>>(new Map());
  const [ids, setIds] = useState<string[]>([]);
  const [complete, setComplete] = useState(false);
  const [connected, setConnected] = useState(true);
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
  return { every, ids, complete, connected };
}

/** The names of parameters and metrics: the same object while they are the same. */
function useNames(rows: Row[]): Names {
  const last = useRef<{ key: string; names: Names } | null>(null);
  return useMemo(() => {
    const names = namesOf(rows);
    const key = JSON.stringify([[...names.params], [...names.metrics]]);
    if (last.current?.key !== key) last.current = { key, names };
    return last.current.names;
  }, [rows]);
}

export function ListPage({ source, hash }: { source: Source; hash: string }) {
  const { every, ids, complete, connected } = useRows(source);
  const [view, setView] = useView(hash);
  const [chosen, setChosen] = useState<Set<string>>(new Set());
  const [pinned, setPinned] = useKept<string[]>("pinned", []);
  const [hidden, setHidden] = useKept<string[]>("hidden", []);
  const [showsHidden, setShowsHidden] = useState(false);
  const [choosing, setChoosing] = useState(false);
  const [open, setOpen] = useState<Set<string>>(new Set());
  const now = useNow(1000);

  const hiddenIds = useMemo(() => new Set(hidden), [hidden]);
  const visible = useMemo(() => (showsHidden ? every : every.filter((row) => !hiddenIds.has(row.id))), [every, hiddenIds, showsHidden]);
  const all = useMemo(() => entries(visible), [visible]);
  const names = useNames(every);
  const possible = useMemo(() => columnsOf(names), [names]);
  const byKey = useMemo(() => new Map(possible.map((one) => [one.key, one])), [possible]);
  const keys = useMemo(() => view.columns ?? unasked(every), [view.columns, every]);
  const shown = useMemo(() => keys.map((key) => byKey.get(key)).filter((one): one is Column => !!one), [keys.join("\n"), byKey]);
  const counts = useMemo(() => {
    const found: Record<string, number> = {};
    for (const row of all) found[stateOf(row)] = (found[stateOf(row)] ?? 0) + 1;
    return found;
  }, [all]);
  const query = useMemo(() => {
    const known = fieldNames(names);
    return parse(view.text, (field) => (!complete || known.has(field) ? null : nearest(field, [...known])));
  }, [view.text, names, complete]);
  const sortKey = view.sort.replace(/^-/, "");
  const moves = sortKey === "duration" || /duration/.test(view.text);
  const first = useMemo(() => new Set(pinned), [pinned]);
  const matching = useMemo(() => {
    const found = entries(visible.filter((row) => matches(query, fields(row, stateOf(row), now)))).filter((row) => view.state === null || stateOf(row) === view.state);
    const by = byKey.get(sortKey) ?? byKey.get("start")!;
    const sign = view.sort.startsWith("-") ? -1 : 1;
    return found
      .map((row) => ({ row, first: first.has(row.id), value: by.value(row, now) }))
      .sort((a, b) => Number(b.first) - Number(a.first) || order(a.value, b.value, sign))
      .map(({ row }) => row);
  }, [visible, query, view.state, view.sort, first, byKey, moves ? now : 0]);
  const groups = useMemo(() => {
    const by = byKey.get(view.group);
    return by ? grouped(matching, by) : null;
  }, [matching, view.group, byKey]);
  const near = useMemo(
    () => (complete && !matching.length && view.text.trim() && !query.mistake ? nearest(view.text, every.map(title)) : ""),
    [complete, matching, view.text, query, every],
  );

  const toggle = useCallback(
    (id: string) =>
      setChosen((before) => {
        const after = new Set(before);
        if (!after.delete(id)) after.add(id);
        return after;
      }),
    [],
  );
  const search = useKeys(toggle);
  const picked = every.filter((row) => chosen.has(row.id));
  const choices = [...new Set([...TONES.filter((tone) => counts[tone]), ...Object.keys(counts)])];
  const sortBy = (key: string) => {
    const by = byKey.get(key);
    const falls = !!by?.numeric && !(by.group === "Metrics" && by.lowest); // the best values first
    setView({ sort: view.sort === key ? `-${key}` : view.sort === `-${key}` ? key : falls ? `-${key}` : key });
  };
  const hiddenCount = every.filter((row) => hiddenIds.has(row.id)).length;

  return (
    <div class="page list-page">
      <div class="list-head">
        <h1>Runs</h1>
        <p class="muted" role="status">
          {!connected ? "The server does not answer; this view may be outdated." : complete ? told(matching.length, all.length) : `reading ${count(every.length)} of ${count(ids.length)} …`}
        </p>
        {hiddenCount > 0 && <button type="button" class="quiet" aria-pressed={showsHidden} onClick={() => setShowsHidden(!showsHidden)}>{showsHidden ? "Leave out" : "Show"} {count(hiddenCount)} hidden</button>}
      </div>
      <div class="tools">
        <input
          ref={search}
          type="search"
          class="filter"
          placeholder="Filter: words, lr>0.01, tag:baseline, loss<0.2"
          aria-label="Filter runs"
          aria-invalid={query.mistake !== null}
          aria-describedby={query.mistake ? "filter-mistake" : undefined}
          value={view.text}
          onInput={(event) => setView({ text: event.currentTarget.value })}
        />
        <div class="chips" role="group" aria-label="Filter by state">
          <button type="button" class="chip" aria-pressed={view.state === null} onClick={() => setView({ state: null })}>
            all <span>{count(all.length)}</span>
          </button>
          {choices.map((tone) => (
            <button key={tone} type="button" class="chip" aria-pressed={view.state === tone} onClick={() => setView({ state: view.state === tone ? null : tone })}>
              {tone} <span>{count(counts[tone] ?? 0)}</span>
            </button>
          ))}
        </div>
        <div class="table-tools">
          <label class="narrow-only">
            <span class="muted">Sort by</span>
            <select value={sortKey} onChange={(event) => sortBy(event.currentTarget.value)}>
              {shown.map((one) => <option key={one.key} value={one.key}>{one.label}</option>)}
            </select>
          </label>
          <label>
            <span class="muted">Group by</span>
            <select value={view.group} onChange={(event) => setView({ group: event.currentTarget.value })}>
              <option value="">nothing</option>
              {possible.filter((one) => GROUPED.includes(one.key) || one.group === "Parameters").map((one) => <option key={one.key} value={one.key}>{one.label}</option>)}
            </select>
          </label>
          <button type="button" class="quiet bordered" aria-expanded={choosing} onClick={() => setChoosing(!choosing)}>Columns</button>
          <Exports source={source} columns={shown} rows={matching} now={now} />
        </div>
      </div>
      {query.mistake && <MistakeLine text={view.text} mistake={query.mistake} />}
      {choosing && <Chooser all={possible} chosen={keys} onChange={(columns) => setView({ columns })} />}
      {complete && !ids.length && (
        <div class="empty">
          <p>No run has been recorded here yet.</p>
          <p class="muted">Start a job; it appears by itself. <code>SYNAPSE_OTEL_JOURNAL_DIR</code> sets the folder.</p>
        </div>
      )}
      {complete && ids.length > 0 && !matching.length && (
        <div class="empty">
          <p>No run matches.</p>
          {near && <p>The nearest is <button type="button" class="quiet" onClick={() => setView({ text: near })}>{near}</button></p>}
        </div>
      )}
      {matching.length > 0 && (
        <Table
          columns={shown}
          sort={view.sort}
          onSort={sortBy}
          groups={groups}
          rows={matching}
          open={open}
          onOpen={(name) => setOpen((before) => new Set(before.has(name) ? [...before].filter((one) => one !== name) : [...before, name]))}
          chosen={chosen}
          pinned={first}
          toggle={toggle}
          now={now}
          asked={[view.text, view.state, view.sort, view.group].join("\n")}
        />
      )}
      {picked.length > 0 && <Tray source={source} picked={picked} pinned={pinned} hidden={hidden} setPinned={setPinned} setHidden={setHidden} clear={() => setChosen(new Set())} />}
    </div>
  );
}

const told = (matching: number, all: number) => (matching === all ? plural(all, "run") : `${count(matching)} of ${plural(all, "run")}`);

/** The text of the filter, with the place that cannot be read marked. */
function MistakeLine({ text, mistake }: { text: string; mistake: Mistake }) {
  return (
    <p class="filter-mistake" id="filter-mistake" role="alert">
      <code>{text.slice(0, mistake.begin)}<mark>{text.slice(mistake.begin, mistake.end) || " "}</mark>{text.slice(mistake.end)}</code> {mistake.why}
    </p>
  );
}

function grouped(rows: Row[], by: Column): Group[] {
  const found = new Map<string, Row[]>();
  for (const row of rows) {
    const value = by.value(row, 0);
    const name = value === null || value === "" ? `without ${by.label}` : `${by.label} ${by.text(value, row, 0)}`;
    const rowsOf = found.get(name);
    if (rowsOf) rowsOf.push(row);
    else found.set(name, [row]);
  }
  return [...found].map(([name, itsRows]) => ({ name, rows: itsRows }));
}

/** Keys of the list: / for the filter, j and k to move, Space to choose; Enter opens the link that has the focus. */
function useKeys(toggle: (id: string) => void) {
  const search = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const at = event.target as HTMLElement;
      if (at.matches("input[type=search]") && event.key === "Escape") at.blur();
      if (at.matches("input:not([type=checkbox]), select, textarea")) return;
      if (event.key === "/") {
        event.preventDefault();
        search.current?.focus();
      } else if (event.key === "j" || event.key === "k") {
        step(at, event.key === "j" ? 1 : -1);
      } else if (event.key === " " && at.matches(".cell-name > a")) {
        event.preventDefault();
        toggle(at.closest<HTMLElement>("tr")!.dataset.run!);
      } else if (at === document.body) {
        scrollRuns(event.key);
      }
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [toggle]);
  return search;
}

/** Move the focus to the next row, or from elsewhere to the first one in sight. */
function step(from: HTMLElement, by: number) {
  const links = [...document.querySelectorAll<HTMLElement>(".run-row .cell-name > a")];
  const here = links.findIndex((link) => link.closest("tr")!.contains(from));
  const top = document.querySelector(".run-labels")?.getBoundingClientRect().bottom ?? 0;
  const next = here < 0 ? links.find((link) => link.getBoundingClientRect().top >= top) : links[Math.min(Math.max(here + by, 0), links.length - 1)];
  next?.focus();
}

/** The keys that scroll a page scroll the table: it is what is longer than the screen. */
function scrollRuns(key: string) {
  const box = document.querySelector(".runs");
  if (!box) return;
  const page = box.clientHeight * 0.9;
  const by: Record<string, number> = { PageDown: page, PageUp: -page, End: box.scrollHeight, Home: -box.scrollHeight };
  if (Object.hasOwn(by, key)) box.scrollBy(0, by[key]!);
}
