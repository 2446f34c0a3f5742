import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { clock, count, offset, plural } from "../format";
import { usePaced } from "../hooks";
import { Icon, Pairs } from "../parts";
import type { Details, ImageRow, LogRecord, Source } from "../types";
import { Lightbox, type Way } from "./lightbox";
import { isSmall, Picture, sizeOf, urlOf, useInfos, type Infos } from "./picture";
import { altOf, setsOf, type ImageSet } from "./sets";

/** Images that the page knows of at most: the last ones. */
const MOST = 5000;
/** Sets, and samples of a set, that are shown before one asks for more. */
const SETS = 6;
const SAMPLES = 24;

/** All images that a run has logged: by category and group, over time, each sample in its place. */
export function Gallery({ source, details }: { source: Source; details: Details }) {
  const { rows, failed, reload } = useRows(source, details);
  const sets = useMemo(() => setsOf(rows, details.begin), [rows, details.begin]);
  const [more, setMore] = useState(SETS);
  const left = details.logs.images - rows.length;
  return (
    <>
      {failed && <p class="bad-text" role="alert">{failed}</p>}
      {rows.length >= MOST && left > 0 && <p class="muted small">The last {count(rows.length)} of {count(details.logs.images)} images.</p>}
      <div class="image-sets">
        {sets.slice(0, more).map((set) => <SetCard key={set.key} source={source} details={details} set={set} onCountedAnew={reload} />)}
      </div>
      {sets.length > more && <p class="more-line"><button type="button" class="quiet" onClick={() => setMore(more + SETS)}>Show {Math.min(SETS, sets.length - more)} more of {count(sets.length)} groups of images</button></p>}
    </>
  );
}

/** The records that name images, further ones while the run goes on. */
function useRows(source: Source, details: Details) {
  const [rows, setRows] = useState<ImageRow[]>([]);
  const [failed, setFailed] = useState("");
  const next = useRef<number | null>(null);
  const round = useRef(0);
  const id = details.row.id;
  const load = usePaced(async () => {
    try {
      const [from, asked] = [next.current, round.current];
      const found = await source.images(id, from ?? -MOST, MOST);
      if (asked !== round.current) return;
      next.current = found.offset + found.rows.length;
      setRows((before) => (from === null ? found.rows : [...before, ...found.rows].slice(-MOST)));
      setFailed("");
    } catch (error) {
      setFailed(String((error as Error).message));
    }
  }, 400);
  const reload = () => {
    next.current = null;
    round.current += 1;
    load();
  };
  const whole = details.reading >= 1;
  useEffect(reload, [source, id, whole]);
  useEffect(load, [details.logs.images]);
  return { rows, failed, reload };
}

function SetCard({ source, details, set, onCountedAnew }: { source: Source; details: Details; set: ImageSet; onCountedAnew: () => void }) {
  const [chosen, setChosen] = useState<string | null>(null);
  const [more, setMore] = useState(SAMPLES);
  const [open, setOpen] = useState<string | null>(null);
  const last = set.steps.length - 1;
  const place = set.steps.findIndex((step) => step.key === chosen);
  const at = place < 0 ? last : place;
  const step = set.steps[at]!;
  const present = set.samples.filter((sample) => step.rows.has(sample));
  const shown = present.slice(0, more);
  const around = [step, set.steps[at - 1], set.steps[at + 1]];
  const infos = useInfos(source, details.row.id, around.flatMap((one) => [...shown, ...(open === null ? [] : [open])].flatMap((sample) => one?.rows.get(sample) ?? [])), onCountedAnew);
  const card = useRef<HTMLElement>(null);
  const close = () => {
    const row = open === null ? undefined : step.rows.get(open);
    setOpen(null);
    if (row) setTimeout(() => card.current?.querySelector<HTMLElement>(`[data-record="${row.n}"] button`)?.focus(), 0);
  };
  const goTo = (to: number) => setChosen(to >= last ? null : set.steps[Math.max(to, 0)]!.key);
  const named = [set.category, set.title].filter(Boolean).join(" / ");
  const single = present.length === 1;
  return (
    <section ref={card} class={`card image-set ${set.samples.length > 3 ? "wide" : ""}`} aria-label={`Images of ${named}`} data-images={named}>
      <header>
        <h3>{set.category && <span class="muted">{set.category} / </span>}{set.title}</h3>
        {set.samples.length > 1 && <span class="muted small">{present.length === set.samples.length ? plural(set.samples.length, "sample") : `${count(present.length)} of ${plural(set.samples.length, "sample")}`}</span>}
      </header>
      {last > 0 && (
        <div class="image-steps">
          <button type="button" class="quiet" disabled={at === 0} onClick={() => goTo(at - 1)} aria-label={`Earlier images of ${named}`}><Icon name="left" /></button>
          <input type="range" min={0} max={last} value={at} onInput={(event) => goTo(Number(event.currentTarget.value))} aria-label={`Step of ${named}`} aria-valuetext={`${step.label}, ${at + 1} of ${last + 1}`} />
          <button type="button" class="quiet" disabled={at === last} onClick={() => goTo(at + 1)} aria-label={`Later images of ${named}`}><Icon name="right" /></button>
          <output class="small">{step.label}<span class="muted"> · {count(at + 1)} of {count(last + 1)}</span></output>
        </div>
      )}
      <div class={`image-grid ${single ? "one" : ""}`}>
        {shown.map((sample) => {
          const row = step.rows.get(sample)!;
          return (
            <figure key={sample} data-record={row.n}>
              <Picture source={source} id={details.row.id} record={row} alt={altOf(row)} infos={infos} onOpen={() => setOpen(sample)} />
              <figcaption class="small" title={altOf(row)}>{sample !== "" && <b>{sample}</b>}<span class="muted">{captionOf(row)}</span></figcaption>
            </figure>
          );
        })}
      </div>
      {present.length > shown.length && <p class="more-line"><button type="button" class="quiet" onClick={() => setMore(more + SAMPLES)}>Show {Math.min(SAMPLES, present.length - shown.length)} more of {count(present.length)} samples</button></p>}
      {open !== null && step.rows.has(open) && (
        <Full
          source={source}
          details={details}
          row={step.rows.get(open)!}
          infos={infos}
          label={step.label}
          ways={waysOf(set, at, open, goTo, setOpen)}
          onClose={close}
        />
      )}
    </section>
  );
}

function captionOf(row: ImageRow): string {
  const words = Object.entries(row.data).slice(0, 3).map(([key, value]) => (typeof value === "string" ? value : `${key} ${typeof value === "number" ? Number(value.toPrecision(4)) : JSON.stringify(value)}`));
  return words.join(", ") || row.name;
}

/** Where one can go from an image: to the same sample earlier and later, and to other samples of the same time. */
function waysOf(set: ImageSet, at: number, sample: string, goTo: (to: number) => void, open: (sample: string) => void): Way[] {
  const to = (from: number, by: number) => {
    for (let place = from + by; place >= 0 && place < set.steps.length; place += by) if (set.steps[place]!.rows.has(sample)) return () => goTo(place);
    return null;
  };
  const beside = set.samples.filter((one) => set.steps[at]!.rows.has(one));
  const next = (by: number) => {
    const other = beside[beside.indexOf(sample) + by];
    return other === undefined ? null : () => open(other);
  };
  const over: Way[] = [
    { label: "Earlier", icon: "left", keyed: "ArrowLeft", go: to(at, -1) },
    { label: "Later", icon: "right", keyed: "ArrowRight", go: to(at, 1) },
  ];
  const samples: Way[] = [
    { label: "Sample before", icon: "up", keyed: "ArrowUp", go: next(-1) },
    { label: "Next sample", icon: "down", keyed: "ArrowDown", go: next(1) },
  ];
  return [...(set.steps.length > 1 ? over : []), ...(beside.length > 1 ? samples : [])];
}

function Full({ source, details, row, infos, label, ways, onClose }: { source: Source; details: Details; row: ImageRow; infos: Infos; label: string; ways: Way[]; onClose: () => void }) {
  const known = infos.of(row);
  const named = [row.category, row.group].filter(Boolean).join(" / ");
  return (
    <Lightbox
      url={urlOf(source, details.row.id, row, known)}
      alt={altOf(row)}
      title={[named, row.index && `sample ${row.index}`].filter(Boolean).join(", ")}
      pixels={isSmall(known.info)}
      ways={ways}
      missing={known.info ? (known.info.error ?? "the image is left out of this file") : "…"}
      onClose={onClose}
      onError={() => infos.again(row)}
    >
      <p class="muted small">{[row.name, known.info?.width ? sizeOf(known.info) : "", clock(row.time), label.includes("+") ? label : offset(row.time - details.begin)].filter(Boolean).join(" · ")}</p>
      <Pairs values={row.data} />
    </Lightbox>
  );
}

/** The image of a record beside it: nothing where the file is none, unless one was to be expected. */
export function RecordImage({ source, details, record }: { source: Source; details: Details; record: LogRecord }) {
  const [open, setOpen] = useState(false);
  const infos = useInfos(source, details.row.id, [record]);
  const { info } = infos.of(record);
  if (!info || (info.error && !record.image)) return null;
  const alt = altOf({ ...record, group: record.event, index: "", name: record.file.split("/").pop() ?? "" });
  return (
    <div class="record-image">
      <Picture source={source} id={details.row.id} record={record} alt={alt} infos={infos} onOpen={() => setOpen(true)} />
      {open && (
        <Lightbox url={urlOf(source, details.row.id, record, infos.of(record))} alt={alt} title={record.event} pixels={isSmall(info)} ways={[]} missing={info.error} onClose={() => setOpen(false)} onError={() => infos.again(record)}>
          <p class="muted small">{[record.file, info.width ? sizeOf(info) : "", clock(record.time)].filter(Boolean).join(" · ")}</p>
        </Lightbox>
      )}
    </div>
  );
}
