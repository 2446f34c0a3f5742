// Which images stand together: those of a category and group are a set, seen over time, each sample in its place.
import { offset, shown } from "../format";
import type { ImageRow } from "../types";

/** What was logged of each sample at one time. */
export interface Step {
  key: string;
  label: string;
  rows: Map<string, ImageRow>;
}

export interface ImageSet {
  key: string;
  category: string;
  title: string;
  /** The samples' numbers or names, in their order. */
  samples: string[];
  steps: Step[];
}

/** Data that say which step of a training it was. */
const COUNTERS = ["epoch", "step", "global_step", "iteration"];
const order = new Intl.Collator("en", { numeric: true });

/**
 * The sets of a run. Groups of a category that differ in their numbers alone (`epoch_1`, `epoch_2`) are one set, whose
 * steps they are; an image that is logged again for the same sample is a step, too.
 */
export function setsOf(rows: ImageRow[], begin: number): ImageSet[] {
  const found = new Map<string, ImageRow[]>();
  for (const row of rows) {
    const key = JSON.stringify([row.category, row.group.replace(/\d+/g, "#")]);
    const before = found.get(key);
    if (before) before.push(row);
    else found.set(key, [row]);
  }
  return [...found].map(([key, of]) => setOf(key, of, begin));
}

function setOf(key: string, rows: ImageRow[], begin: number): ImageSet {
  const groups = [...new Set(rows.map((row) => row.group))];
  const counts = new Map<string, number>();
  const steps = new Map<string, Step>();
  for (const row of rows) {
    const sample = JSON.stringify([row.group, row.index]);
    const count = counts.get(sample) ?? 0;
    counts.set(sample, count + 1);
    const place = JSON.stringify([row.group, count]);
    const step = steps.get(place) ?? { key: place, label: labelOf(row, groups.length > 1, begin), rows: new Map<string, ImageRow>() };
    step.rows.set(row.index, row);
    steps.set(place, step);
  }
  const samples = [...new Set(rows.map((row) => row.index))].sort(order.compare);
  const title = groups.length > 1 ? `${groups[0]} – ${groups[groups.length - 1]}` : groups[0]!;
  return { key, category: rows[0]!.category, title, samples, steps: [...steps.values()] };
}

function labelOf(row: ImageRow, named: boolean, begin: number): string {
  const counter = COUNTERS.find((name) => typeof row.data[name] === "number");
  return [named ? row.group : "", counter ? `${counter} ${shown(row.data[counter])}` : "", offset(row.time - begin)].filter(Boolean).join(" · ");
}

/** What an image is, in words: where it stands, and what was logged with it. */
export function altOf(row: ImageRow): string {
  const data = Object.entries(row.data).slice(0, 4).map(([key, value]) => `${key} ${shown(value).slice(0, 60)}`);
  return [[row.category, row.group].filter(Boolean).join(" "), row.index && `sample ${row.index}`, ...data].filter(Boolean).join(", ") || row.name;
}
