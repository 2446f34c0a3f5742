import type {
  CurveQuery, Details, ImageInfo, ImagePage, Listener, LogPage, LogQuery, Points, RecordRef, Source, TableColumn,
} from "./types";

async function get<T>(path: string, how?: RequestInit): Promise<T> {
  return (await (await answered(path, how)).json()) as T;
}

/** The answer to a request; what is no success is an error with what the server said. */
async function answered(path: string, how?: RequestInit): Promise<Response> {
  const answer = await fetch(path, how);
  if (!answer.ok) {
    const text = await answer.text();
    let said = text;
    try {
      said = (JSON.parse(text) as { error?: string }).error ?? text;
    } catch {
      // plain text is said as it is
    }
    throw new Error(said.trim() || `the server answered ${answer.status}`);
  }
  return answer;
}

export class HttpSource implements Source {
  readonly live = true;
  readonly only = null;

  details(id: string): Promise<Details> {
    return get(`api/runs/${encodeURIComponent(id)}`);
  }

  async curves(id: string, query: CurveQuery): Promise<Record<string, Points>> {
    const asked = new URLSearchParams({ series: query.series.join(","), points: String(query.points), axis: query.axis });
    if (query.begin !== undefined) asked.set("begin", String(query.begin));
    if (query.end !== undefined) asked.set("end", String(query.end));
    if (query.mean) asked.set("mean", "1");
    if (query.along) asked.set("along", query.along);
    if (query.cut) asked.set("cut", String(query.cut));
    const found = await get<{ curves: Record<string, Points> }>(`api/runs/${encodeURIComponent(id)}/curves?${asked}`);
    return found.curves;
  }

  records(id: string, query: LogQuery, offset: number, limit: number): Promise<LogPage> {
    const asked = new URLSearchParams({ offset: String(offset), limit: String(limit), audience: query.audience });
    if (query.level) asked.set("level", query.level);
    if (query.category !== null) asked.set("category", query.category);
    if (query.q) asked.set("q", query.q);
    if (!query.texts) asked.set("metric_texts", "0");
    return get(`api/runs/${encodeURIComponent(id)}/records?${asked}`);
  }

  images(id: string, offset: number, limit: number): Promise<ImagePage> {
    return get(`api/runs/${encodeURIComponent(id)}/images?${new URLSearchParams({ offset: String(offset), limit: String(limit) })}`);
  }

  imageInfos(id: string, records: RecordRef[]): Promise<Record<string, ImageInfo>> {
    return get(`api/runs/${encodeURIComponent(id)}/images/info?${new URLSearchParams(records.map((one) => ["record", `${one.n}@${one.time}`]))}`);
  }

  imageUrl(id: string, record: RecordRef, changed = false): string {
    const asked = new URLSearchParams({ time: String(record.time), ...(changed ? { changed: "1" } : {}) });
    return `api/runs/${encodeURIComponent(id)}/images/${record.n}?${asked}`;
  }

  async remove(id: string): Promise<void> {
    await get(`api/runs/${encodeURIComponent(id)}`, { method: "DELETE" });
  }

  async parquet(columns: TableColumn[]): Promise<Blob> {
    return (await answered("api/table.parquet", { method: "POST", body: JSON.stringify(columns) })).blob();
  }

  watch(what: { list?: boolean; runs?: string[] }, on: Listener): () => void {
    const asked = new URLSearchParams();
    if (what.list) asked.set("list", "1");
    for (const run of what.runs ?? []) asked.append("run", run);
    let stream: EventSource | null = null;
    const open = () => {
      stream = new EventSource(`api/events?${asked}`);
      stream.onopen = () => on.connected?.(true);
      stream.onerror = () => on.connected?.(false);
      stream.addEventListener("rows", (event) => on.rows?.(JSON.parse((event as MessageEvent<string>).data)));
      stream.addEventListener("run", (event) => on.run?.(JSON.parse((event as MessageEvent<string>).data)));
    };
    const close = () => {
      stream?.close();
      stream = null;
    };
    const look = () => (document.hidden ? close() : stream ?? open());
    document.addEventListener("visibilitychange", look);
    look();
    return () => {
      document.removeEventListener("visibilitychange", look);
      close();
    };
  }
}
