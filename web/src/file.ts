import { METRIC_TEXT, type CurveQuery, type Details, type ImageInfo, type ImagePage, type Listener, type LogPage, type LogQuery, type LogRecord, type Points, type RecordRef, type Source } from "./types";

/** What `synapse-otel export --format html` writes into the page. */
export interface Written {
  details: Details;
  curves: Record<string, Points & { along?: Record<string, Points> }>;
  means: Record<string, Points>;
  records: LogRecord[];
  /** Images: the records that name one, what is known of each, and the URLs of those that the file holds. */
  images: { rows: ImagePage; infos: Record<string, ImageInfo & { key?: string }>; urls: Record<string, string> };
}

const LEVELS: Record<string, number> = { debug: 0, info: 9, success: 10, warning: 13, error: 17 };

export class FileSource implements Source {
  readonly live = false;
  readonly only: string;

  constructor(private readonly written: Written) {
    this.only = written.details.row.id;
  }

  async details(): Promise<Details> {
    return this.written.details;
  }

  async curves(_id: string, query: CurveQuery): Promise<Record<string, Points>> {
    const found: Record<string, Points> = {};
    for (const id of query.series) {
      const whole = this.written.curves[id];
      const points = query.along ? (whole?.along?.[query.along] ?? this.joined(id, query.along)) : ((query.mean ? this.written.means[id] : undefined) ?? whole);
      if (points) found[id] = query.cut ? { ...points, usual: usual(points.v, query.cut) } : points;
    }
    return found;
  }

  /** A curve over another metric of its category, where both have a point of the same call. */
  private joined(id: number, name: string): Points | undefined {
    const category = this.written.details.series.find((one) => one.id === id)?.category;
    const axis = this.written.details.series.find((one) => one.category === category && one.name === name);
    const [curve, other] = [this.written.curves[id], axis && this.written.curves[axis.id]];
    if (!curve || !other) return undefined;
    const values = new Map(other.t.map((time, at) => [time, other.v[at]!]));
    const places = curve.t.map((_, at) => at).filter((at) => values.has(curve.t[at]!));
    places.sort((one, two) => values.get(curve.t[one]!)! - values.get(curve.t[two]!)!);
    return { t: places.map((at) => curve.t[at]!), v: places.map((at) => curve.v[at]!), n: places, x: places.map((at) => values.get(curve.t[at]!)!) };
  }

  async records(_id: string, query: LogQuery, offset: number, limit: number): Promise<LogPage> {
    const words = query.q.toLowerCase().split(/\s+/).filter(Boolean);
    const least = LEVELS[query.level] ?? 0;
    const all = this.written.records.filter((one) => {
      const developer = one.kind === "developer" || one.kind === "logging";
      return (
        one.severity >= least &&
        (query.audience === "all" || developer === (query.audience === "developer")) &&
        (query.category === null || one.category === query.category) &&
        (query.texts || one.event !== METRIC_TEXT) &&
        (!words.length || matches(one, words))
      );
    });
    return { matching: all.length, offset, rows: all.slice(offset, offset + limit) };
  }

  async images(_id: string, offset: number, limit: number): Promise<ImagePage> {
    const { total, offset: first, rows } = this.written.images.rows;
    const begin = Math.max(offset >= 0 ? offset : total + offset, first);
    return { total, offset: begin, rows: rows.slice(begin - first, begin - first + limit) };
  }

  async imageInfos(_id: string, records: RecordRef[]): Promise<Record<string, ImageInfo>> {
    const { infos } = this.written.images;
    return Object.fromEntries(records.map(({ n }) => [n, infos[n] ?? { error: "the image is not in this file", reason: "left out" }]));
  }

  imageUrl(_id: string, record: RecordRef, changed = false): string | null {
    const { infos, urls } = this.written.images;
    return changed ? null : (urls[infos[record.n]?.key ?? ""] ?? null);
  }

  watch(_what: object, on: Listener): () => void {
    on.connected?.(true);
    return () => undefined;
  }
}

/** Of fewer values none is an outlier. */
const FEW = 20;

/** The range of values without a share, in percent, of the lowest and of the highest. */
function usual(values: number[], percent: number): [number, number] | null {
  const ranked = [...values].sort((one, two) => one - two);
  if (ranked.length < FEW) return null;
  const cut = Math.min(Math.ceil((ranked.length * percent) / 100), Math.floor((ranked.length - 1) / 2));
  return [ranked[cut]!, ranked[ranked.length - 1 - cut]!];
}

function matches(one: LogRecord, words: string[]): boolean {
  const data = Object.entries(one.data).map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const named = [one.kind === "event" ? one.event : "", one.kind === "logging" ? one.scope : ""];
  const text = [one.text, one.context, one.category, one.file, ...named, ...data, String(one.more["exception.stacktrace"] ?? "")].join("\n").toLowerCase();
  return words.every((word) => text.includes(word));
}
