// The runs as a table; on a narrow screen each row is a card.
import { Component, type ComponentChildren } from "preact";
import { clock, count, number, plural } from "../format";
import { Bar, ProgressText, StatePill, Tags, title, verdict, work } from "../parts";
import type { Row } from "../types";
import type { Cell, Column } from "./columns";

export const runAddress = (id: string) => `#/run/${encodeURIComponent(id)}`;

export interface Group {
  /** What its runs have in common, as text. */
  name: string;
  rows: Row[];
}

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
}

export function Table(props: TableProps) {
  const { columns, sort, onSort, groups, rows } = props;
  return (
    <div class="runs">
      <table role="table" aria-label="Runs">
        <colgroup>
          <col class="col-check" />
          {columns.map((one) => <col key={one.key} class={`col-${FIXED_PLACES.has(one.key) ? one.key : "more"}`} />)}
        </colgroup>
        <thead role="rowgroup">
          <tr class="run-labels" role="row">
            <th role="columnheader" class="cell-check"><span class="visually-hidden">Choose</span></th>
            {columns.map((one) => <Head key={one.key} column={one} sort={sort} onSort={onSort} />)}
          </tr>
        </thead>
        {groups
          ? groups.map((group) => (
              <tbody key={group.name} role="rowgroup">
                <GroupRow {...props} group={group} />
                {props.open.has(group.name) && group.rows.map((row) => bodyRow(row, props))}
              </tbody>
            ))
          : <tbody role="rowgroup">{rows.map((row) => bodyRow(row, props))}</tbody>}
      </table>
    </div>
  );
}

function Head({ column, sort, onSort }: { column: Column; sort: string; onSort: (key: string) => void }) {
  const sorted = sort === column.key ? "ascending" : sort === `-${column.key}` ? "descending" : undefined;
  return (
    <th role="columnheader" class={`${column.numeric && column.key !== "progress" ? "right" : ""} ${place(column)}`} aria-sort={sorted}>
      <button type="button" class="head" onClick={() => onSort(column.key)} title={`Sort by ${column.label}`}>
        {column.label}
        {sorted && <span aria-hidden="true">{sorted === "ascending" ? " ↑" : " ↓"}</span>}
      </button>
    </th>
  );
}

const FIXED_PLACES = new Set(["state", "name", "progress", "start", "duration", "pending"]);
const place = (column: Column) => (FIXED_PLACES.has(column.key) ? `cell-${column.key}` : "cell-more");

function bodyRow(row: Row, { columns, chosen, pinned, toggle, now }: TableProps) {
  // A row that has ended is rendered again when the text of its age may change, not every second.
  const moves = row.state === "live" || row.state === "stalled" || now - row.start < 60_000;
  return <RunRow key={row.id} row={row} columns={columns} chosen={chosen.has(row.id)} pinned={pinned.has(row.id)} toggle={toggle} now={moves ? now : Math.floor(now / 60_000) * 60_000} />;
}

interface RowProps {
  row: Row;
  columns: Column[];
  chosen: boolean;
  pinned: boolean;
  toggle: (id: string) => void;
  now: number;
}

class RunRow extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const { row, columns, chosen, pinned, now } = this.props;
    return row !== next.row || columns !== next.columns || chosen !== next.chosen || pinned !== next.pinned || now !== next.now;
  }

  render({ row, columns, chosen, pinned, toggle, now }: RowProps) {
    const open = (event: MouseEvent) => {
      if ((event.target as Element).closest("a, button, input, label") || getSelection()?.toString()) return;
      location.hash = runAddress(row.id);
    };
    return (
      <tr class={`run-row ${verdict(row).tone} ${chosen ? "chosen" : ""}`} role="row" data-run={row.id} onClick={open}>
        <td role="cell" class="cell-check">
          <input type="checkbox" checked={chosen} onChange={() => toggle(row.id)} aria-label={`Choose ${title(row)} ${work(row)} ${row.job}`} />
        </td>
        {columns.map((one) => <BodyCell key={one.key} column={one} row={row} pinned={pinned} now={now} />)}
      </tr>
    );
  }
}

function BodyCell({ column, row, pinned, now }: { column: Column; row: Row; pinned: boolean; now: number }) {
  const { key } = column;
  if (key === "state") return <td role="cell" class="cell-state"><StatePill row={row} /></td>;
  if (key === "name") return <td role="cell" class="cell-name"><Name row={row} pinned={pinned} /></td>;
  if (key === "progress") return <td role="cell" class="cell-progress">{row.progress && <ProgressCell row={row} now={now} />}</td>;
  const value = column.value(row, now);
  const none = value === null || value === "";
  const full = key === "start" ? clock(row.start) : typeof value === "string" ? value : undefined;
  const idle = none || (key === "pending" && !value);
  return (
    <td role="cell" class={`${place(column)} ${column.numeric ? "right" : ""} ${idle ? "muted" : ""} ${none ? "none" : ""}`} data-label={key === "duration" ? "took" : column.label.toLowerCase()} title={full}>
      {none ? "–" : key === "tags" ? <Tags tags={row.tags} /> : column.text(value, row, now)}
      {key === "duration" && (row.state === "live" || row.state === "stalled") && <span class="visually-hidden"> so far</span>}
    </td>
  );
}

function Name({ row, pinned }: { row: Row; pinned: boolean }) {
  return (
    <>
      <a href={runAddress(row.id)}>{title(row)}</a>
      {pinned && <span class="tag pinned">pinned</span>}
      {row.attempts.length > 0 && <span class="muted"> attempt {row.attempts.indexOf(row.id) + 1} of {row.attempts.length}</span>}
      <Tags tags={row.tags} />
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

function GroupRow({ group, columns, open, onOpen, now }: TableProps & { group: Group }) {
  const shown = open.has(group.name);
  return (
    <tr class="group-row" role="row">
      <th role="rowheader" scope="rowgroup" colSpan={3}>
        <button type="button" class="head" aria-expanded={shown} onClick={() => onOpen(group.name)}>
          <span aria-hidden="true">{shown ? "▾ " : "▸ "}</span>
          {group.name} <span class="muted">{plural(group.rows.length, "run")}</span>
        </button>
      </th>
      {columns.slice(2).map((one) => <td key={one.key} role="cell" class={`${place(one)} ${one.numeric ? "right" : ""}`} data-label={one.label.toLowerCase()}>{summary(one, group.rows, now)}</td>)}
    </tr>
  );
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
