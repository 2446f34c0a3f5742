// The rows of the table: of runs, and of groups of them.
import { Component, type ComponentChildren } from "preact";
import { clock, count, number, plural } from "../format";
import { Bar, ProgressText, StatePill, Tags, title, verdict, work } from "../parts";
import type { Row } from "../types";
import { type Cell, type Column, place } from "./columns";
import type { Part } from "./window";

export const runAddress = (id: string) => `#/run/${encodeURIComponent(id)}`;

/** Columns that stay in sight when the table is scrolled sideways: the first ones. */
export const STICKY = 2;

export interface Group {
  /** What its runs have in common, as text. */
  name: string;
  rows: Row[];
}

/** The cells of the columns that are drawn; an empty one stands for the columns of each gap. */
export function across(columns: Column[], part: Part, cell: (column: Column, at: number) => ComponentChildren): ComponentChildren {
  const begin = Math.max(part.begin, STICKY);
  const gap = (name: string, from: number, to: number) => to > from && <td key={name} aria-hidden="true" class="gap" colSpan={to - from} />;
  return (
    <>
      {columns.slice(0, STICKY).map(cell)}
      {gap("before", STICKY, begin)}
      {columns.slice(begin, part.end).map((column, at) => cell(column, begin + at))}
      {gap("after", Math.max(part.end, begin), columns.length)}
    </>
  );
}

interface RowProps {
  row: Row;
  columns: Column[];
  part: Part;
  /** Its place in the table, counted from 1. */
  place: number;
  chosen: boolean;
  pinned: boolean;
  toggle: (id: string) => void;
  now: number;
}

export class RunRow extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const before = this.props;
    for (const name in next) if (name !== "toggle" && next[name as keyof RowProps] !== before[name as keyof RowProps]) return true;
    return false;
  }

  render({ row, columns, part, place: at, chosen, pinned, toggle, now }: RowProps) {
    const open = (event: MouseEvent) => {
      if ((event.target as Element).closest("a, button, input, label") || getSelection()?.toString()) return;
      location.hash = runAddress(row.id);
    };
    return (
      <tr class={`run-row ${verdict(row).tone} ${chosen ? "chosen" : ""}`} role="row" aria-rowindex={at} data-run={row.id} onClick={open}>
        <td role="cell" class="cell-check">
          <input type="checkbox" checked={chosen} onChange={() => toggle(row.id)} aria-label={`Choose ${title(row)} ${work(row)} ${row.job}`} />
        </td>
        {across(columns, part, (one, column) => <BodyCell key={one.key} column={one} at={column} row={row} pinned={pinned} now={now} tagged={!columns.some((other) => other.key === "tags")} />)}
      </tr>
    );
  }
}

interface CellProps {
  column: Column;
  at: number;
  row: Row;
  pinned: boolean;
  now: number;
  /** Whether the name has the tags, as there is no column of them. */
  tagged: boolean;
}

function BodyCell({ column, at, row, pinned, now, tagged }: CellProps) {
  const { key } = column;
  const common = { role: "cell" as const, "aria-colindex": at + 2 };
  if (key === "state") return <td {...common} class="cell-state"><StatePill row={row} /></td>;
  if (key === "name") return <td {...common} class="cell-name"><Name row={row} pinned={pinned} tagged={tagged} /></td>;
  if (key === "progress") return <td {...common} class="cell-progress">{row.progress && <ProgressCell row={row} now={now} />}</td>;
  const value = column.value(row, now);
  const none = value === null || value === "";
  const full = key === "start" ? clock(row.start) : typeof value === "string" ? value : undefined;
  const idle = none || (key === "pending" && !value);
  return (
    <td {...common} class={`${place(column)} ${column.numeric ? "right" : ""} ${idle ? "muted" : ""} ${none ? "none" : ""}`} data-label={key === "duration" ? "took" : column.label.toLowerCase()} title={full}>
      {none ? "–" : key === "tags" ? <Tags tags={row.tags} /> : column.text(value, row, now)}
      {key === "duration" && (row.state === "live" || row.state === "stalled") && <span class="visually-hidden"> so far</span>}
    </td>
  );
}

function Name({ row, pinned, tagged }: { row: Row; pinned: boolean; tagged: boolean }) {
  return (
    <>
      <a href={runAddress(row.id)} title={title(row)}>{title(row)}</a>
      {pinned && <span class="tag pinned">pinned</span>}
      {row.attempts.length > 0 && <span class="muted"> attempt {row.attempts.indexOf(row.id) + 1} of {row.attempts.length}</span>}
      {tagged && <Tags tags={row.tags} />}
      <span class="sub">
        {row.error && <span class="bad-text">{row.error} · </span>}
        {row.notes.map((note) => <span class="warn-text" key={note}>{note} · </span>)}
        {work(row) || row.id}
        {row.jobs > 1 && ` · ${row.jobs} jobs`}
      </span>
    </>
  );
}

function ProgressCell({ row, now }: { row: Row; now: number }) {
  return (
    <>
      <Bar ratio={row.progress!.ratio} tone={verdict(row).tone} label={`Progress of ${title(row)}`} />
      <span class="small"><ProgressText progress={row.progress!} now={now} lives={row.state === "live"} /></span>
    </>
  );
}

interface GroupProps {
  group: Group;
  columns: Column[];
  part: Part;
  place: number;
  isOpen: boolean;
  onOpen: (group: string) => void;
  now: number;
}

export class GroupRow extends Component<GroupProps> {
  override shouldComponentUpdate(next: GroupProps): boolean {
    const { group, columns, part, place: at, isOpen, now } = this.props;
    return group !== next.group || columns !== next.columns || part !== next.part || at !== next.place || isOpen !== next.isOpen || now !== next.now;
  }

  render({ group, columns, part, place: at, isOpen, onOpen, now }: GroupProps) {
    const begin = Math.max(part.begin, STICKY);
    return (
      <tr class="group-row" role="row" aria-rowindex={at}>
        <th role="rowheader" scope="rowgroup" colSpan={1 + STICKY}>
          <button type="button" class="head" aria-expanded={isOpen} onClick={() => onOpen(group.name)} title={group.name}>
            <span aria-hidden="true">{isOpen ? "▾ " : "▸ "}</span>
            {group.name} <span class="muted">{plural(group.rows.length, "run")}</span>
          </button>
        </th>
        {begin > STICKY && <td aria-hidden="true" class="gap" colSpan={begin - STICKY} />}
        {columns.slice(begin, part.end).map((one, column) => (
          <td key={one.key} role="cell" aria-colindex={begin + column + 2} class={`${place(one)} ${one.numeric ? "right" : ""}`} data-label={one.label.toLowerCase()}>{summary(one, group.rows, now)}</td>
        ))}
        {part.end < columns.length && <td aria-hidden="true" class="gap" colSpan={columns.length - Math.max(part.end, begin)} />}
      </tr>
    );
  }
}

const SUMMED = new Set(["duration", "pending", "delivered", "dropped"]);

/** The best value and the mean of a group's runs. */
function summary(column: Column, rows: Row[], now: number): ComponentChildren {
  const isValue = column.group === "Metrics" || column.group === "Resource usage" || SUMMED.has(column.key);
  if (!isValue) return null;
  const values = rows.map((row) => column.value(row, now)).filter((value): value is number => typeof value === "number");
  if (!values.length) return null;
  const written = (value: number) => column.text(value as Cell, rows[0]!, now) || number(value);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const best = column.lowest ? Math.min(...values) : Math.max(...values);
  return (
    <span title={`${column.lowest ? "lowest" : "highest"} of ${count(values.length)}, and the mean`}>
      {column.group === "Metrics" && <b>{written(best)} </b>}
      <span class="muted">mean {column.group === "Run" && column.key !== "duration" ? number(mean) : written(mean)}</span>
    </span>
  );
}
