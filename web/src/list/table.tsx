// The runs as a table, of which what is in view is drawn; on a narrow screen each row is a card.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { useMedia } from "../hooks";
import type { Row } from "../types";
import { type Column, place } from "./columns";
import { across, type Group, GroupRow, RunRow } from "./row";
import { type Part, places, useParts } from "./window";

/** As the style has them: see `.run-row`, `.group-row` and `.col-check`. */
const ROW = 60;
const GROUP = 44;
const CHECK = 40;
const NARROW = "(max-width: 820px)";
/** Cards that are drawn at first, and with each look at the last one. */
const STEP = 20;

/** Where the table was left: who comes back from a run sees the same rows. */
const left = { asked: "", top: 0 };

interface TableProps {
  columns: Column[];
  sort: string;
  onSort: (key: string) => void;
  groups: Group[] | null;
  rows: Row[];
  open: Set<string>;
  onOpen: (group: string) => void;
  chosen: Set<string>;
  pinned: Set<string>;
  toggle: (id: string) => void;
  now: number;
  /** Changes with what is asked for: then the table is seen from its begin. */
  asked: string;
}

/** One row of the table: of a run, or of the group that the runs behind it are of. */
interface Item {
  group: Group | null;
  row: Row | null;
}

function itemsOf(groups: Group[] | null, rows: Row[], open: Set<string>): Item[] {
  if (!groups) return rows.map((row) => ({ group: null, row }));
  return groups.flatMap((group) => [{ group, row: null }, ...(open.has(group.name) ? group.rows.map((row) => ({ group, row })) : [])]);
}

export function Table(props: TableProps) {
  const { columns, sort, onSort, groups, rows, open, asked } = props;
  const box = useRef<HTMLDivElement>(null);
  const narrow = useMedia(NARROW);
  const [limit, setLimit] = useState(STEP);
  const items = useMemo(() => itemsOf(groups, rows, open), [groups, rows, open]);
  const tops = useMemo(() => places(items.map((one) => (one.row ? ROW : GROUP))), [items]);
  const lefts = useMemo(() => places([CHECK + columns[0]!.width, ...columns.slice(1).map((one) => one.width)]), [columns]);
  const seen = useParts(box, tops, lefts);
  const all = useMemo(() => ({ begin: 0, end: columns.length }), [columns]);
  const wide = narrow ? all : seen.columns;
  const down = narrow ? { begin: 0, end: Math.min(limit, items.length) } : seen.rows;
  useLayoutEffect(() => {
    if (left.asked === asked) box.current!.scrollTop = left.top;
    else {
      setLimit(STEP);
      box.current!.scrollTop = 0;
    }
    left.asked = asked;
  }, [asked]);
  return (
    <>
      <div class="runs" ref={box} onScroll={(event) => { left.top = event.currentTarget.scrollTop; }}>
        <table role="table" aria-label="Runs" aria-rowcount={items.length + 1} aria-colcount={columns.length + 1}>
          <colgroup>
            <col class="col-check" />
            {columns.map((one) => <col key={one.key} style={{ width: `${one.width}px` }} />)}
          </colgroup>
          <thead role="rowgroup">
            <tr class="run-labels" role="row" aria-rowindex={1}>
              <th role="columnheader" aria-colindex={1} class="cell-check"><span class="visually-hidden">Choose</span></th>
              {across(columns, wide, (one, at) => <Head key={one.key} column={one} at={at} sort={sort} onSort={onSort} />)}
            </tr>
          </thead>
          {!narrow && tops[down.begin]! > 0 && <Gap height={tops[down.begin]!} columns={columns.length + 1} />}
          {bodies(items, down).map(([name, part]) => (
            <tbody key={name} role="rowgroup">{items.slice(part.begin, part.end).map((one, at) => itemRow(one, part.begin + at + 2, wide, props))}</tbody>
          ))}
          {!narrow && down.end < items.length && <Gap height={tops[items.length]! - tops[down.end]!} columns={columns.length + 1} />}
        </table>
      </div>
      {narrow && items.length > limit && <More onSeen={() => setLimit(limit + STEP)} key={limit}>…</More>}
    </>
  );
}

/** What is drawn, by the group that it is of. */
function bodies(items: Item[], { begin, end }: Part): [string, Part][] {
  const found: [string, Part][] = [];
  for (let at = begin; at < end; at += 1) {
    const name = items[at]!.group?.name ?? "";
    const last = found[found.length - 1];
    if (last && last[0] === name) last[1].end = at + 1;
    else found.push([name, { begin: at, end: at + 1 }]);
  }
  return found;
}

/** Rows that are not drawn. */
function Gap({ height, columns }: { height: number; columns: number }) {
  return (
    <tbody aria-hidden="true">
      <tr style={{ height: `${height}px` }}><td class="gap" colSpan={columns} /></tr>
    </tbody>
  );
}

function Head({ column, at, sort, onSort }: { column: Column; at: number; sort: string; onSort: (key: string) => void }) {
  const sorted = sort === column.key ? "ascending" : sort === `-${column.key}` ? "descending" : undefined;
  return (
    <th role="columnheader" aria-colindex={at + 2} class={`${column.numeric && column.key !== "progress" ? "right" : ""} ${place(column)}`} aria-sort={sorted} data-column={column.key}>
      <button type="button" class="head" onClick={() => onSort(column.key)} title={`Sort by ${column.label}`}>
        <span class="head-label">{column.label}</span>
        {sorted && <span aria-hidden="true">{sorted === "ascending" ? " ↑" : " ↓"}</span>}
      </button>
    </th>
  );
}

function itemRow({ group, row }: Item, at: number, part: Part, { columns, open, onOpen, chosen, pinned, toggle, now }: TableProps) {
  // What has ended is drawn again when the text of its age may change, not every second.
  const moves = (one: Row) => one.state === "live" || one.state === "stalled" || now - one.start < 60_000;
  const minute = Math.floor(now / 60_000) * 60_000;
  if (!row) return <GroupRow key="" group={group!} columns={columns} part={part} place={at} isOpen={open.has(group!.name)} onOpen={onOpen} now={group!.rows.some(moves) ? now : minute} />;
  return <RunRow key={row.id} row={row} columns={columns} part={part} place={at} chosen={chosen.has(row.id)} pinned={pinned.has(row.id)} toggle={toggle} now={moves(row) ? now : minute} />;
}

/** What asks for more rows when it comes into sight. */
function More({ onSeen, children }: { onSeen: () => void; children: ComponentChildren }) {
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const observer = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && onSeen(), { rootMargin: "600px" });
    observer.observe(end.current!);
    return () => observer.disconnect();
  }, []);
  return <div ref={end} class="muted more">{children}</div>;
}
