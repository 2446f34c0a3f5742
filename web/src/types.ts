// What the server answers; see src/synapse_otel/runs/live/. Times are Unix milliseconds.

export type State = "live" | "stalled" | "crashed" | "done" | "unreadable";

export interface Progress {
  category: string;
  /** Id of the worker, of whose part in the category this tells; empty for the category as a whole. */
  worker: string;
  current: number | null;
  limit: number | null;
  ratio: number | null;
  rate: number | null;
  eta: number | null;
  time: number;
  start: number;
  items: number | null;
}

export interface Row {
  id: string;
  name: string;
  state: State;
  /** What became of it, in one word, and how that is coloured. */
  word: string;
  tone: string;
  result: string;
  error: string;
  action: string;
  plugin: string;
  version: string;
  job: string;
  jobs: number;
  tags: string[];
  /** Ids of the runs of its job, the oldest first, where it was resumed; else empty. */
  attempts: string[];
  start: number;
  end: number | null;
  last: number;
  progress: Progress | null;
  emitted: number;
  delivered: number;
  pending: number;
  dropped: number;
  notes: string[];
  revision: string;
  host: string;
  params: Values;
  /** By category/name: the last value, the minimum and the maximum. */
  metrics: Record<string, [number | null, number | null, number | null]>;
  /** CPU seconds, and bytes at the peak; what is not known is not there. */
  used: { cpu?: number; memory?: number; gpu_memory?: number };
}

export type Value = string | number | boolean | null | Value[] | { [key: string]: Value };
export type Values = Record<string, Value>;

export interface Span {
  id: string;
  trace: string;
  parent: string;
  depth: number;
  name: string;
  role: "job" | "step" | "rollback" | "other";
  start: number;
  end: number | null;
  failed: boolean;
  skipped: boolean;
  result: string | null;
  error: string;
  attributes: Values;
  params: Values;
  products: Values;
  links: string[];
  events: number;
}

export interface Series {
  id: number;
  name: string;
  category: string;
  unit: string;
  count: number;
  first: number;
  last: number;
  min: number;
  max: number;
  /** Metrics that its calls reported too, and that are an axis for it, the best first. */
  along: string[];
}

export interface MetricText {
  category: string;
  name: string;
  value: Value;
  count: number;
  time: number;
  /** Number of the record that has the value. */
  n: number;
}

export interface UsageChart {
  name: string;
  unit: string;
  limit: number | null;
  lines: { label: string; t: number[]; v: number[] }[];
}

export interface Usage {
  charts: UsageChart[];
  totals: { cpu_seconds: number; processes_peak: number; disk_read: number | null; disk_written: number | null }[];
  /** How its GPUs were told: `processes`, `CUDA_VISIBLE_DEVICES`, or `all`. */
  gpus_by: string;
  oom_killed: boolean;
}

export interface Exception {
  n: number;
  time: number;
  type: string;
  message: string;
  stack: string;
  category: string;
  span: string;
}

export interface Job {
  id: string;
  name: string;
  notes: string;
  action: string;
  plugin: string;
  version: string;
  category: string;
  trace: string;
  start: number;
  end: number | null;
  result: string;
  error: string;
}

export interface Account {
  emitted: number;
  delivered: number;
  pending: number;
  dropped: Record<string, number>;
  attempts: number;
  failure: string;
}

export interface Details {
  row: Row;
  now: number;
  begin: number;
  last: number;
  lives: boolean;
  spans: Span[];
  spans_left_out: number;
  series: Series[];
  /** Metrics that are no numbers, each with its latest value. */
  metric_texts: MetricText[];
  usage: Usage;
  logs: { total: number; least: Record<string, number>; errors: number; developer: number; user: number; metric_texts: number; images: number; categories: string[] };
  exceptions: Exception[];
  /** Of a killed run: what it said to users last, and what it warned of. */
  last_words: LogRecord[];
  /** Records that were delivered, and removed from this machine. */
  removed: number;
  nonfinite: { time: number; category: string; name: string; value: string }[];
  resource: Values;
  jobs: Job[];
  progress: Progress[];
  signals: Record<string, Account>;
  exit: { code: number | null; signal: string; core: boolean; stderr: string[] } | null;
  folders: string[];
  jaeger: string | null;
  notes: string[];
  /** The runs of its job, where it was resumed. */
  attempts: { id: string; name: string; word: string; tone: string; start: number }[];
  version: number;
  reading: number;
}

export interface Points {
  t: number[];
  v: number[];
  n: number[];
  /** Values of the metric that is the horizontal axis, where one is. */
  x?: number[] | null;
  /** Between which values the curve is without its outliers, where that was asked for. */
  usual?: [number, number] | null;
}

export interface CurveQuery {
  series: number[];
  points: number;
  begin?: number;
  end?: number;
  axis: "time" | "n";
  /** Name of the metric that is the horizontal axis. */
  along?: string;
  mean: boolean;
  /** Percentage of the values at either end that `usual` leaves out. */
  cut?: number;
}

export interface LogRecord {
  n: number;
  time: number;
  severity: number;
  kind: "message" | "event" | "developer" | "exception" | "life" | "logging";
  context: string;
  category: string;
  event: string;
  text: string;
  data: Values;
  file: string;
  /** Whether the file is expected to be an image. */
  image: boolean;
  more: Values;
  scope: string;
  span: string;
}

export interface LogQuery {
  level: string;
  audience: string;
  category: string | null;
  q: string;
  /** Whether metrics that are no numbers are among the records. */
  texts: boolean;
}

/** Event of a metric that is no number. */
export const METRIC_TEXT = "synapse.metric.text";

/** A record that names an image. */
export interface ImageRow {
  n: number;
  time: number;
  category: string;
  /** Of `log_visualization`, else the name of the event. */
  group: string;
  /** Of `log_visualization`, else empty. */
  index: string;
  name: string;
  data: Values;
}

export interface ImagePage {
  total: number;
  offset: number;
  rows: ImageRow[];
}

/** A record by its number, and its time: the numbers may be given again. */
export type RecordRef = Pick<LogRecord, "n" | "time">;

export interface ImageInfo {
  type?: string;
  width?: number;
  height?: number;
  size?: number;
  /** Why the image is not shown. */
  error?: string;
  reason?: string;
}

export interface LogPage {
  matching: number;
  offset: number;
  rows: LogRecord[];
}

export interface RowsEvent {
  now: number;
  rows: Row[];
  ids?: string[];
  complete: boolean;
}

export interface RunEvent {
  id: string;
  records: number;
  row: number;
  reading: number;
  error?: string;
}

/** Where the page's data comes from: a server that reads journals, or the file that the page itself is. */
/** A column of a table to be written: times are Unix milliseconds; `any` is the narrowest kind that takes all values. */
export interface TableColumn {
  name: string;
  kind: "time" | "number" | "long" | "text" | "any";
  values: (string | number | boolean | null)[];
}

export interface Source {
  readonly live: boolean;
  /** The one run that there is, where there is but one. */
  readonly only: string | null;
  details(id: string): Promise<Details>;
  curves(id: string, query: CurveQuery): Promise<Record<string, Points>>;
  records(id: string, query: LogQuery, offset: number, limit: number): Promise<LogPage>;
  /** Records that name images; an offset below 0 counts from the end. */
  images(id: string, offset: number, limit: number): Promise<ImagePage>;
  /** What is known of the images of some records, by their numbers. */
  imageInfos(id: string, records: RecordRef[]): Promise<Record<string, ImageInfo>>;
  /** Address of a record's image; with `changed` of what is there now, where a source has that. */
  imageUrl(id: string, record: RecordRef, changed?: boolean): string | null;
  /** Delete a run from the machine; a source that cannot has no such method. */
  remove?(id: string): Promise<void>;
  /** Return a table as a Parquet file; a source that cannot has no such method. */
  parquet?(columns: TableColumn[]): Promise<Blob>;
  /** Listen until the returned function is called; nothing is asked for while the page is hidden. */
  watch(what: { list?: boolean; runs?: string[] }, on: Listener): () => void;
}

export interface Listener {
  rows?: (event: RowsEvent) => void;
  run?: (event: RunEvent) => void;
  connected?: (yes: boolean) => void;
}
