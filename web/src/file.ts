import type { CurveQuery, Details, Listener, LogPage, LogQuery, LogRecord, Points, Source } from "./types";

/** What `synapse-otel export --format html` writes into the page. */
export interface Written {
  details: Details;
  curves: Record<string, Points>;
  means: Record<string, Points>;
  records: LogRecord[];
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
      const points = (query.mean ? this.written.means[id] : undefined) ?? this.written.curves[id];
      if (points) found[id] = points;
    }
    return found;
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
        (!words.length || matches(one, words))
      );
    });
    return { matching: all.length, offset, rows: all.slice(offset, offset + limit) };
  }

  watch(_what: object, on: Listener): () => void {
    on.connected?.(true);
    return () => undefined;
  }
}

function matches(one: LogRecord, words: string[]): boolean {
  const data = Object.entries(one.data).map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const named = [one.kind === "event" ? one.event : "", one.kind === "logging" ? one.scope : ""];
  const text = [one.text, one.context, one.category, one.file, ...named, ...data, String(one.more["exception.stacktrace"] ?? "")].join("\n").toLowerCase();
  return words.every((word) => text.includes(word));
}
