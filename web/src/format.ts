// Times, numbers and values in few characters.

/** What stands where records were that the machine no longer has. */
export const removedText = "Delivered and removed from this machine.";

export function duration(ms: number): string {
  const s = Math.max(ms, 0) / 1000;
  if (s < 0.001) return s === 0 ? "0 s" : "<1 ms";
  if (s < 1) return `${Math.min(Math.round(s * 1000), 999)} ms`;
  if (s < 10) return `${s.toFixed(2)} s`;
  if (s < 60) return `${s.toFixed(1)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m ${pad(Math.floor(s % 60))} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${pad(Math.floor((s % 3600) / 60))} m`;
  return `${Math.floor(s / 86400)} d ${pad(Math.floor((s % 86400) / 3600))} h`;
}

export function offset(ms: number): string {
  const sign = ms < 0 ? "−" : "+";
  const s = Math.abs(ms) / 1000;
  if (s < 60) return `${sign}${s.toFixed(s < 10 ? 3 : 2)} s`;
  const whole = Math.floor(s);
  const h = Math.floor(whole / 3600);
  const rest = `${h ? pad(Math.floor((whole % 3600) / 60)) : Math.floor(whole / 60)}:${pad(whole % 60)}`;
  return sign + (h ? `${h}:${rest}` : rest);
}

/** A duration on an axis: as short as it can be. */
export function tick(ms: number): string {
  const s = ms / 1000;
  if (s === 0) return "0";
  if (Math.abs(s) < 0.001) return `${trim(s * 1e6)} µs`;
  if (Math.abs(s) < 1) return `${trim(s * 1000)} ms`;
  if (Math.abs(s) < 120) return `${trim(s)} s`;
  if (Math.abs(s) < 7200) return `${trim(s / 60)} m`;
  if (Math.abs(s) < 172800) return `${trim(s / 3600)} h`;
  return `${trim(s / 86400)} d`;
}

/** Marks of a time axis, `step` ms apart. Where short texts do not tell them apart, each is the time after the first. */
export function timeTicks(values: number[], step: number, axis: "elapsed" | "clock"): string[] {
  const texts = values.map((value) => (axis === "elapsed" ? tick(value) : clock(value).slice(11)));
  if (distinct(texts) && !(axis === "clock" && step < 1000)) return texts;
  return values.map((value, at) => (at ? `+${tick(value - values[0]!)}` : timeAt(value, step, axis)));
}

/** A time with as many digits as tell it from one `step` ms later. */
export function timeAt(ms: number, step: number, axis: "elapsed" | "clock"): string {
  const digits = Math.min(Math.max(Math.ceil(3 - Math.log10(Math.max(step, 1e-4))), 0), 6);
  if (axis === "clock") return step >= 1000 ? clock(ms) : clock(ms).slice(11) + ((((ms % 1000) + 1000) % 1000) / 1000).toFixed(digits).slice(1);
  return step >= 1000 || Math.abs(ms) < 1000 ? tick(ms) : `${Number((ms / 1000).toFixed(digits))} s`;
}

/** Marks of an axis of numbers, `step` apart, with as many digits as tell them apart. */
export function numberTicks(values: (number | null)[], step: number): string[] {
  const texts = values.map((value) => (value === null ? "" : number(value)));
  if (distinct(texts.filter(Boolean)) || !(step > 0)) return texts;
  const digits = Math.min(Math.max(Math.ceil(-Math.log10(step)), 0), 12);
  return values.map((value) => (value === null ? "" : Math.abs(value) < 1e12 ? String(Number(value.toFixed(digits))) : String(value)));
}

const distinct = (texts: string[]) => new Set(texts).size === texts.length;

const trim = (value: number) => String(Number(value.toFixed(2)));
const pad = (value: number) => String(value).padStart(2, "0");

export function clock(ms: number): string {
  const d = new Date(ms);
  return ms <= 0 || Number.isNaN(d.getTime())
    ? "unknown"
    : `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())} ${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
}

export function ago(ms: number, now: number): string {
  if (ms <= 0) return "unknown";
  const s = Math.max(now - ms, 0) / 1000;
  if (s < 5) return "just now";
  if (s < 60) return `${Math.floor(s)} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  if (s < 86400 * 14) return `${Math.floor(s / 86400)} d ago`;
  return clock(ms).slice(0, 10);
}

export function number(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return value.toLocaleString("en-US");
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e3) return String(Number(value.toPrecision(4)));
  if (size >= 1e3 && size < 1e9) return Math.round(value).toLocaleString("en-US");
  return value.toExponential(2).replace("e+", "e");
}

export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** A number of bytes, also one between two marks of an axis. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (Math.abs(value) >= 1024 && at < units.length - 1) {
    value /= 1024;
    at += 1;
  }
  return `${at && value < 100 ? Number(value.toFixed(1)) : Math.round(value)} ${units[at]}`;
}

export function plural(value: number, word: string, ending = "s"): string {
  return `${count(value)} ${word}${value === 1 ? "" : ending}`;
}

export function rate(value: number | null): string {
  if (value === null) return "";
  return value >= 1 || value === 0 ? `${number(value)}/s` : value * 60 >= 1 ? `${number(value * 60)}/min` : `${number(value * 3600)}/h`;
}

export function percent(ratio: number | null): string {
  if (ratio === null) return "–";
  const value = ratio * 100;
  return `${value >= 100 ? Math.floor(value) : value < 10 && value > 0 ? value.toFixed(1) : Math.min(Math.round(value), 99)}%`;
}

export function shown(value: unknown): string {
  if (typeof value === "number") return number(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}
