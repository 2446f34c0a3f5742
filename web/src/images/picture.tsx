import { useEffect, useRef, useState } from "preact/hooks";
import { bytes, count } from "../format";
import { Icon } from "../parts";
import type { ImageInfo, RecordRef, Source } from "../types";

/** Pixels and bytes of an image that is drawn small without being asked for: each is decoded whole. */
const LARGE = 16e6;
const HEAVY = 8 << 20;
/** Records that are asked for at once. */
const ASKED = 50;

export interface Known {
  info?: ImageInfo;
  /** Whether it is shown though it is not what was logged, or is large. */
  wanted: boolean;
}

export interface Infos {
  of: (record: RecordRef) => Known;
  want: (record: RecordRef) => void;
  /** Ask again, as an image that was there could not be loaded. */
  again: (record: RecordRef) => void;
}

const keyOf = (record: RecordRef) => `${record.n}@${record.time}`;

/** What is known of the images of some records, asked for when they come into view. */
export function useInfos(source: Source, id: string, records: RecordRef[], onCountedAnew?: () => void): Infos {
  const [known, setKnown] = useState<Record<string, ImageInfo>>({});
  const [wanted, setWanted] = useState<ReadonlySet<string>>(new Set());
  const asked = useRef(new Set<string>());

  const ask = async (some: RecordRef[]) => {
    some.forEach((one) => asked.current.add(keyOf(one)));
    for (let at = 0; at < some.length; at += ASKED) {
      const part = some.slice(at, at + ASKED);
      let found: Record<string, ImageInfo>;
      let missing: ImageInfo = { error: "the records have been recounted", reason: "gone" };
      try {
        found = await source.imageInfos(id, part);
        if (part.some((one) => !found[one.n])) onCountedAnew?.();
      } catch (error) {
        found = {};
        missing = { error: String((error as Error).message), reason: "gone" };
      }
      setKnown((before) => ({ ...before, ...Object.fromEntries(part.map((one) => [keyOf(one), found[one.n] ?? missing])) }));
    }
  };
  const key = records.map(keyOf).join(" ");
  useEffect(() => {
    const some = records.filter((one) => !asked.current.has(keyOf(one)));
    if (some.length) void ask(some);
  }, [source, id, key]);

  return {
    of: (record) => ({ info: known[keyOf(record)], wanted: wanted.has(keyOf(record)) }),
    want: (record) => setWanted((before) => new Set([...before, keyOf(record)])),
    again: (record) => void source.imageInfos(id, [record]).then(
      (found) => {
        const info = found[record.n] ?? {};
        setKnown((before) => ({ ...before, [keyOf(record)]: info.error && !(info.reason === "changed" && wanted.has(keyOf(record))) ? info : { error: "the image cannot be drawn: its file is damaged", reason: "no image" } }));
      },
      (error: Error) => setKnown((before) => ({ ...before, [keyOf(record)]: { error: error.message, reason: "gone" } })),
    ),
  };
}

/** The address of a record's image where it is to be seen, else null. */
export function urlOf(source: Source, id: string, record: RecordRef, { info, wanted }: Known): string | null {
  if (!info || (info.error && !(wanted && info.reason === "changed"))) return null;
  return source.imageUrl(id, record, Boolean(info.error));
}

/** Whether an image is so small that its pixels are to be seen. */
export const isSmall = (info: ImageInfo | undefined) => (info?.width ?? Infinity) <= 128 && (info?.height ?? Infinity) <= 128;
export const sizeOf = (info: ImageInfo) => `${count(info.width ?? 0)} × ${count(info.height ?? 0)}, ${bytes(info.size ?? 0)}`;

/** An image, small; what stands in its place where it is not to be seen. */
export function Picture({ source, id, record, alt, infos, onOpen }: { source: Source; id: string; record: RecordRef; alt: string; infos: Infos; onOpen: () => void }) {
  const known = infos.of(record);
  const { info, wanted } = known;
  if (!info) return <div class="picture loading" />;
  const url = urlOf(source, id, record, known);
  if (!url) {
    return (
      <div class="picture none">
        <Icon name="image" />
        <span>{info.error ?? "the image is left out of this file"}</span>
        {info.reason === "changed" && source.imageUrl(id, record, true) && <button type="button" class="link" onClick={() => infos.want(record)} aria-label={`Show what is there now: ${alt}`}>Show what is there now</button>}
      </div>
    );
  }
  if (!wanted && ((info.width ?? 0) * (info.height ?? 0) > LARGE || (info.size ?? 0) > HEAVY)) {
    return (
      <div class="picture none">
        <Icon name="image" />
        <span>{sizeOf(info)}</span>
        <button type="button" class="link" onClick={() => infos.want(record)} aria-label={`Show the large image: ${alt}`}>Show</button>
      </div>
    );
  }
  return (
    <button type="button" class={`picture ${isSmall(info) ? "pixels" : ""}`} onClick={onOpen} aria-label={`${alt}: full size`}>
      <img key={url} src={url} alt={alt} width={info.width} height={info.height} loading="lazy" decoding="async" onError={() => infos.again(record)} />
      {info.error && <span class="picture-mark">changed since</span>}
    </button>
  );
}
