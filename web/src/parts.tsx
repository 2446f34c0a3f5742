import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { duration, number, percent, rate, shown } from "./format";
import type { Progress, Row, Values } from "./types";

const PATHS: Record<string, string> = {
  pulse: "M2 12h4l3-8 5 16 3-8h5",
  sun: "M12 4V2M12 22v-2M4 12H2M22 12h-2M6 6 4.6 4.6M19.4 19.4 18 18M6 18l-1.4 1.4M19.4 4.6 18 6M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.500 10.500z",
  auto: "M12 3.500a8.500 8.500 0 1 0 0 17zM12 3.500a8.500 8.500 0 0 1 0 17|M12 3.500a8.500 8.500 0 1 0 0 17z",
  back: "M15 5l-7 7 7 7",
  out: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  grow: "M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7",
  save: "M12 4v11M7 10l5 5 5-5M5 20h14",
  check: "M5 12.500l4.500 4.500L19 7",
  cross: "M6 6l12 12M18 6L6 18",
  skip: "M5 12h14",
  undo: "M9 7L4 12l5 5M4 12h10a6 6 0 0 1 6 6",
  play: "M8 5l11 7-11 7z",
  dot: "M12 11a1 1 0 1 1 0 2 1 1 0 0 1 0-2",
  pause: "M9 5v14M15 5v14",
  image: "M4 5h16v14H4zM4 16l4.500-4.500 4 4 3-3 4.500 4.500M15.500 9v.5",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  up: "M5 15l7-7 7 7",
  down: "M5 9l7 7 7-7",
  warn: "M12 4l9 16H3zM12 10v4M12 17v.5",
};

export function Icon({ name }: { name: string }) {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 24 24" aria-hidden="true">
      {(PATHS[name] ?? "").split("|").map((path, at) => <path key={at} d={path} class={at ? "filled" : ""} />)}
    </svg>
  );
}

const TONE_ICONS: Record<string, string> = { live: "play", good: "check", bad: "cross", muted: "skip" };
const WORD_ICONS: Record<string, string> = { stalled: "pause", unreadable: "warn", cancelled: "skip" };

/** What became of a run, in one word: of one that is done, how its job ended. */
export function verdict(row: Row): { word: string; tone: string; icon: string } {
  return { word: row.word, tone: row.tone, icon: WORD_ICONS[row.word] ?? TONE_ICONS[row.tone] ?? "dot" };
}

export function StatePill({ row }: { row: Row }) {
  const { word, tone, icon } = verdict(row);
  return (
    <span class={`pill ${tone}`} data-state={row.state}>
      <Icon name={icon} />
      {word}
    </span>
  );
}

export function title(row: Row): string {
  return row.name || row.id;
}

/** What a run does: action, plugin and version; nothing that its title says already. */
export function work(row: Row): string {
  return `${row.action} ${row.plugin} ${row.version}`.trim();
}

export function Tags({ tags }: { tags: string[] }) {
  return <>{tags.map((tag) => <span key={tag} class="tag">{tag}</span>)}</>;
}

/** Rows without the attempts of a job whose last one is among them: the job is one entry. */
export function entries(rows: Row[]): Row[] {
  const known = new Set(rows.map((row) => row.id));
  return rows.filter((row) => {
    const last = row.attempts[row.attempts.length - 1] ?? row.id;
    return last === row.id || !known.has(last);
  });
}

export function lasted(row: Row, now: number): number {
  return (row.end ?? (row.state === "live" || row.state === "stalled" ? now : row.last)) - row.start;
}

export function Bar({ ratio, tone, label }: { ratio: number | null; tone: string; label: string }) {
  const value = Math.min(Math.max(ratio ?? 0, 0), 1);
  return (
    <div class={`bar ${tone}`} role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.floor(value * 100)}>
      <div style={{ width: `${value * 100}%` }} />
    </div>
  );
}

/** Seconds to go, counted down between two reports. */
export function remaining(progress: Progress, now: number): number | null {
  if (progress.eta === null || (progress.ratio ?? 0) >= 1) return null;
  return Math.max(progress.eta * 1000 - Math.max(now - progress.time, 0), 0);
}

export function ProgressText({ progress, now, lives }: { progress: Progress; now: number; lives: boolean }) {
  const left = lives ? remaining(progress, now) : null;
  return (
    <>
      <strong>{percent(progress.ratio)}</strong>
      <span class="muted">
        {" "}
        {number(progress.current)}/{number(progress.limit)}
      </span>
      {progress.rate !== null && <span class="muted"> · {rate(progress.rate)}</span>}
      {left !== null && <span> · {duration(left)} left</span>}
    </>
  );
}

/** A text that can be copied; with `named`, what it is stands before it. */
export function Copied({ text, label, named }: { text: string; label: string; named?: string }) {
  const [done, set] = useState(false);
  const copy = () => {
    void navigator.clipboard?.writeText(text).then(() => {
      set(true);
      setTimeout(() => set(false), 1200);
    });
  };
  return (
    <button type="button" class="quiet copy" onClick={copy} title={`Copy ${label}`} aria-label={`Copy ${label} ${text}`}>
      {named && <span class="muted">{named}</span>}
      <code>{text}</code>
      <Icon name={done ? "check" : "copy"} />
    </button>
  );
}

export function Section({ id, title: head, note, children }: { id: string; title: string; note?: ComponentChildren; children: ComponentChildren }) {
  return (
    <section id={id} aria-labelledby={`${id}-title`} class="section">
      <div class="section-head">
        <h2 id={`${id}-title`}>{head}</h2>
        {note && <div class="section-note">{note}</div>}
      </div>
      {children}
    </section>
  );
}

export function Pairs({ values, label }: { values: Values; label?: string }) {
  const entries = Object.entries(values);
  if (!entries.length) return null;
  return (
    <div class="pairs-block">
      {label && <h3>{label}</h3>}
      <dl class="pairs">
        {entries.map(([key, value]) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd>{Number.isInteger(value) ? String(value) : shown(value)}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

/** A text with the words that were searched for marked. */
export function Marked({ text, words }: { text: string; words: string[] }) {
  if (!words.length) return <>{text}</>;
  const pattern = new RegExp(`(${words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "gi");
  return <>{text.split(pattern).map((part, at) => (at % 2 ? <mark>{part}</mark> : part))}</>;
}
