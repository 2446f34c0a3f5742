// What runs are called beside each other: by what differs.
import { clock, shown } from "../format";
import { title } from "../parts";
import type { Details, Value } from "../types";

const LONGEST = 28;
const MOST = 3;

/** The parameters of a run's job; of nested ones each value, by its path. */
export function paramsOf(details: Details): Record<string, Value> {
  const found: Record<string, Value> = {};
  const walk = (value: Value, path: string) => {
    if (value !== null && typeof value === "object" && !Array.isArray(value)) for (const [key, inner] of Object.entries(value)) walk(inner, path ? `${path}.${key}` : key);
    else if (path) found[path] = value;
  };
  walk((details.spans.find((span) => span.role === "job")?.params ?? {}) as Value, "");
  return found;
}

/** Names of parameters that differ between runs, the one with the most values first. */
export function differing(params: Record<string, Value>[]): string[] {
  const names = [...new Set(params.flatMap((one) => Object.keys(one)))];
  const values = (name: string) => new Set(params.map((one) => JSON.stringify(one[name]))).size;
  return names.filter((name) => values(name) > 1).sort((one, other) => values(other) - values(one));
}

/** A short label for each run: the parameters that tell the runs apart (`lr=0.05`), else name, version or start with them. */
export function labelsOf(runs: Details[]): string[] {
  const titles = runs.map((run) => title(run.row));
  if (runs.length < 2) return titles;
  const params = runs.map(paramsOf);
  const chosen: string[] = [];
  const said = () => params.map((one) => chosen.map((name) => (one[name] === undefined ? `no ${name}` : `${name}=${short(one[name])}`)).join(" "));
  const kinds = () => new Set(said()).size;
  for (const name of differing(params)) {
    if (chosen.length === MOST || kinds() === runs.length) break;
    const before = kinds();
    chosen.push(name);
    if (kinds() === before) chosen.pop();
  }
  const texts = said();
  if (isUnique(texts)) return texts;
  const named = texts.map((text, at) => [titles[at], text].filter(Boolean).join(" "));
  if (isUnique(named)) return named;
  const versions = named.map((text, at) => `${text} ${runs[at]!.row.version}`.trim());
  if (isUnique(versions)) return versions;
  const started = named.map((text, at) => `${text} ${clock(runs[at]!.row.start).slice(5)}`);
  return isUnique(started) ? started : named.map((text, at) => `${text} #${at + 1}`);
}

const isUnique = (texts: string[]) => new Set(texts).size === texts.length;

function short(value: Value): string {
  const text = shown(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}
