// The columns that the list may have: fixed ones, and what the runs have as parameters, metrics and resource usage.
import { AXES } from "../charts/panels";
import { ago, bytes, clock, count, duration, number, shown } from "../format";
import { lasted, title, verdict } from "../parts";
import type { Row, TableColumn, Values } from "../types";
import type { Fields } from "./query";

export type Cell = string | number | null;

export interface Column {
  key: string;
  label: string;
  group: "Run" | "Parameters" | "Metrics" | "Resource usage";
  numeric: boolean;
  /** What is sorted, compared and exported; null for none. Times are Unix milliseconds, durations seconds. */
  value: (row: Row, now: number) => Cell;
  text: (value: Cell, row: Row, now: number) => string;
  /** Whether the lowest value of a group is the best one. */
  lowest: boolean;
  /** What its values are in a file of a table. */
  kind: TableColumn["kind"];
  /** In pixels; all are wider where the table has room. */
  width: number;
}

export const FIRST = ["state", "name", "progress", "start", "duration", "pending"];
/** So many of them stand before the parameters and metrics. */
const BEFORE = 3;
/** They stand in each row, in this order: they cannot be left out. */
export const ALWAYS = ["state", "name"];
const WIDTHS: Record<string, number> = { state: 118, name: 290, progress: 220, duration: 100, pending: 90, tags: 180 };
const LEAST = 112;
const MOST = 220;
const OF_LETTER = 6.6;
const AROUND = 32;
/** Columns that have a place of their own on a card. */
const PLACED = new Set(FIRST);
const LOW = /loss|err|mae|mse|perplexity|latency|time|seconds|duration/i;

const KINDS: Record<string, TableColumn["kind"]> = { start: "time", end: "time", pending: "long", delivered: "long", dropped: "long", "used.memory": "long", "used.gpu_memory": "long" };

const plainText = (value: Cell) => (value === null ? "" : typeof value === "number" ? number(value) : value);

function column(key: string, label: string, numeric: boolean, value: Column["value"], text: Column["text"] = plainText, group: Column["group"] = "Run"): Column {
  const kind = KINDS[key] ?? (group === "Parameters" ? "any" : numeric ? "number" : "text");
  return { key, label, group, numeric, value, text, kind, lowest: LOW.test(label), width: WIDTHS[key] ?? Math.min(Math.max(Math.ceil(label.length * OF_LETTER) + AROUND, LEAST), MOST) };
}

/** The class of a column's cells. */
export const place = (one: Column) => (PLACED.has(one.key) ? `cell-${one.key}` : "cell-more");

const FIXED: Column[] = [
  column("state", "State", false, (row) => verdict(row).word),
  column("name", "Run", false, title),
  column("progress", "Progress", true, (row) => row.progress?.ratio ?? null),
  column("start", "Started", true, (row) => row.start, (_value, row, now) => ago(row.start, now)),
  column("duration", "Duration", true, (row, now) => lasted(row, now) / 1000, (value) => duration(Number(value) * 1000)),
  column("pending", "Pending", true, (row) => row.pending, (value) => count(Number(value))),
  column("result", "Result", false, (row) => row.result),
  column("error", "Error", false, (row) => row.error),
  column("tags", "Tags", false, (row) => row.tags.join(", ")),
  column("action", "Action", false, (row) => row.action),
  column("plugin", "Plugin", false, (row) => row.plugin),
  column("version", "Version", false, (row) => row.version),
  column("revision", "Revision", false, (row) => row.revision, (value) => String(value).slice(0, 10)),
  column("host", "Host", false, (row) => row.host),
  column("job", "Job id", false, (row) => row.job),
  column("end", "Ended", true, (row) => row.end, (value) => (value === null ? "" : clock(Number(value)))),
  column("delivered", "Delivered", true, (row) => row.delivered, (value) => count(Number(value))),
  column("dropped", "Dropped", true, (row) => row.dropped, (value) => count(Number(value))),
];

const USED: [keyof Row["used"], string, (value: number) => string][] = [
  ["cpu", "CPU time", (value) => duration(value * 1000)],
  ["memory", "Memory peak", bytes],
  ["gpu_memory", "GPU memory peak", bytes],
];

const USED_COLUMNS = USED.map(([name, label, text]) =>
  column(`used.${name}`, label, true, (row) => row.used[name] ?? null, (value) => (value === null ? "" : text(Number(value))), "Resource usage"),
);
const AMONG = ["last", "min", "max"] as const;

function scalar(values: Values, name: string): Cell {
  if (!Object.hasOwn(values, name)) return null;
  const value = values[name]!;
  return value === null ? null : typeof value === "number" || typeof value === "string" ? value : shown(value);
}

/** The names of parameters, with whether all their values are numbers, and of metrics. */
export interface Names {
  params: Map<string, boolean>;
  metrics: Set<string>;
}

export function namesOf(rows: Row[]): Names {
  const params = new Map<string, boolean>();
  const metrics = new Set<string>();
  for (const row of rows) {
    for (const name in row.params) params.set(name, (params.get(name) ?? true) && typeof row.params[name] === "number");
    for (const name in row.metrics) metrics.add(name);
  }
  return { params, metrics };
}

/** All columns that rows with these names can fill. */
export function columns({ params, metrics }: Names): Column[] {
  return [
    ...FIXED,
    ...[...params].sort(byName).map(([name, numeric]) => column(`param.${name}`, name, numeric, (row) => scalar(row.params, name), plainText, "Parameters")),
    ...[...metrics].sort().flatMap((name) =>
      AMONG.map((which, at) => ({
        ...column(`metric.${name}.${which}`, which === "last" ? name : `${name} ${which}`, true, (row) => (Object.hasOwn(row.metrics, name) ? row.metrics[name]![at] : null) ?? null, plainText, "Metrics"),
        lowest: which === "min" || (which === "last" && LOW.test(name)),
      })),
    ),
    ...USED_COLUMNS,
  ];
}

/** At most so many columns of parameters, and as many of metrics, are there without being chosen. */
const UNASKED = 2;

/** Keys of the columns that are there if none was chosen: parameters that differ, and metrics that most runs have, among the first ones. */
export function unasked(rows: Row[]): string[] {
  const values = new Map<string, Set<string>>();
  const counts = new Map<string, number>();
  for (const row of rows) {
    for (const name in row.params) values.set(name, (values.get(name) ?? new Set()).add(JSON.stringify(row.params[name])));
    for (const name in row.metrics) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const params = [...values.keys()].filter((name) => values.get(name)!.size > 1).sort();
  const metrics = [...counts.keys()].filter((name) => !AXES.has(name.slice(name.lastIndexOf("/") + 1)));
  metrics.sort((a, b) => counts.get(b)! - counts.get(a)! || Number(LOW.test(b)) - Number(LOW.test(a)) || (a < b ? -1 : 1));
  const found = [...params.slice(0, UNASKED).map((name) => `param.${name}`), ...metrics.slice(0, UNASKED).map((name) => `metric.${name}.last`)];
  return [...FIRST.slice(0, BEFORE), ...found, ...FIRST.slice(BEFORE)];
}

const byName = (a: [string, unknown], b: [string, unknown]) => (a[0] < b[0] ? -1 : 1);

/** The names that a filter knows, as one writes them: `lr`, `loss`, `loss.min`, `train/loss.max`, `memory`. */
export function fieldNames({ params, metrics }: Names): Set<string> {
  const found = new Set(["state", "tag", "name", ...FIXED.map((one) => one.key), ...USED.map(([name]) => String(name))]);
  for (const name of params.keys()) found.add(name).add(`param.${name}`);
  for (const metric of metrics) {
    for (const name of [metric, metric.slice(metric.lastIndexOf("/") + 1)]) {
      found.add(name).add(`metric.${name}`);
      for (const which of AMONG) found.add(`${name}.${which}`).add(`metric.${name}.${which}`);
    }
  }
  return found;
}

const texts = new WeakMap<Row, string>();

function textOf(row: Row): string {
  let found = texts.get(row);
  if (found === undefined) {
    found = [row.id, row.name, ...row.tags, row.action, row.plugin, row.version, row.job, row.result, row.error, row.state, row.host].join(" ").toLowerCase();
    texts.set(row, found);
  }
  return found;
}

const FIELDS = new Map([...USED_COLUMNS.map((one): [string, Column] => [one.key.replace("used.", ""), one]), ...FIXED.map((one): [string, Column] => [one.key, one])]);

/** A row as a filter sees it; a name that several metrics end with stands for each of them. */
export function fields(row: Row, group: string, now: number): Fields {
  return {
    get text() {
      return textOf(row);
    },
    values: (field) => {
      if (field === "state") return [row.word, group];
      if (field === "tag" || field === "tags") return row.tags;
      if (field === "name") return [row.name, row.id];
      const fixed = FIELDS.get(field);
      if (fixed) return present([fixed.value(row, now)]);
      const param = scalar(row.params, field.replace(/^param\./, ""));
      if (param !== null && !field.startsWith("metric.")) return [param];
      return metricValues(row, field.replace(/^metric\./, ""));
    },
  };
}

function metricValues(row: Row, field: string): number[] {
  const [, base = field, which = "last"] = /^(.*)\.(last|min|max)$/.exec(field) ?? [];
  const at = AMONG.indexOf(which as (typeof AMONG)[number]);
  const found = Object.keys(row.metrics).filter((name) => name === field || name === base || name.endsWith(`/${base}`) || name.endsWith(`/${field}`));
  return present(found.map((name) => row.metrics[name]![name === field || name.endsWith(`/${field}`) ? 0 : at]!)) as number[];
}

const present = (values: Cell[]) => values.filter((value): value is string | number => value !== null);

/** Order of two values: what is not there comes last, whichever the direction. */
export function order(a: Cell, b: Cell, sign: number): number {
  const none = (value: Cell) => value === null || value === "";
  if (none(a) || none(b)) return Number(none(a)) - Number(none(b));
  if (typeof a === "number" && typeof b === "number") return (a - b) * sign;
  return (String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0) * sign;
}

/** The shown rows as a table to be written: parameters as they are, what is no single value as JSON. */
export function tableOf(shownColumns: Column[], rows: Row[], now: number): TableColumn[] {
  const plain = (one: Column, row: Row) => {
    if (one.kind !== "any") return one.value(row, now);
    const name = one.key.slice("param.".length);
    const value = Object.hasOwn(row.params, name) ? row.params[name]! : null;
    return value !== null && typeof value === "object" ? JSON.stringify(value) : value;
  };
  return [
    { name: "id", kind: "text", values: rows.map((row) => row.id) },
    ...shownColumns.map((one) => ({ name: one.key, kind: one.kind, values: rows.map((row) => plain(one, row)) })),
  ];
}

/** The shown rows as CSV (RFC 4180). What a spreadsheet would take for a formula is made a text. */
export function csv(shownColumns: Column[], rows: Row[], now: number): string {
  const quoted = (value: Cell) => {
    if (typeof value === "number") return String(value);
    const text = /^[=+\-@\t\r]/.test(value ?? "") ? `'${value}` : (value ?? "");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const time = (one: Column, row: Row) => {
    const value = one.value(row, now);
    return (one.key === "start" || one.key === "end") && value !== null ? new Date(Number(value)).toISOString() : value;
  };
  const lines = [["id", ...shownColumns.map((one) => one.key)], ...rows.map((row) => [row.id, ...shownColumns.map((one) => time(one, row))])];
  return lines.map((line) => `${line.map(quoted).join(",")}\r\n`).join("");
}
