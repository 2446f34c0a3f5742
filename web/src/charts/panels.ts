// Which metrics stand in which chart, over what, and in which group.
import type { Details, Series } from "../types";
import type { X } from "./chart";

export interface Shown {
  id: string;
  label: string;
  colour: number;
  details: Details;
  /** What its group of runs is called, and the place of that group, where groups are drawn as their mean. */
  group?: { label: string; colour: number };
}

/** A metric of a run: one line. */
export interface Member {
  run: Shown;
  series: Series;
}

/** One chart. */
export interface Panel {
  key: string;
  category: string;
  name: string;
  of: Member[];
  /** Whether there are several metrics in it. */
  joint: boolean;
}

/** Charts that are folded together. */
export interface Fold {
  key: string;
  title: string;
  panels: Panel[];
}

export type Axis = "auto" | X;
export type By = "auto" | "none" | "category" | "prefix";
export type Together = "apart" | "name" | "group";

/** Charts that are shown before one asks for more. */
export const STEP = 12;
export const AXES = new Set(["global_step", "step", "iteration", "epoch"]);

/** Whether a metric counts steps: it is an axis, and has no best value. */
export const isAxis = (panel: { name: string }) => AXES.has(panel.name);
export const metricKey = (series: Series) => `${series.category}\u0000${series.name}`;

/** What is said before the first slash or dot of a metric's name. */
export const prefixOf = (name: string) => /^([^/.]+)[/.]/.exec(name)?.[1] ?? "";

/** All metrics of all runs, each with its lines; what an axis is made of comes last. */
export function metricsOf(runs: Shown[]): Panel[] {
  const found = new Map<string, Panel>();
  for (const run of runs) {
    for (const series of run.details.series) {
      const key = metricKey(series);
      const panel = found.get(key) ?? { key, category: series.category, name: series.name, of: [], joint: false };
      panel.of.push({ run, series });
      found.set(key, panel);
    }
  }
  const panels = [...found.values()];
  return [...panels.filter((panel) => !isAxis(panel)), ...panels.filter(isAxis)];
}

const SPECIAL = /[\\^$.*+?()[\]{}|]/;

/** A filter: a regular expression for the name, the category, or `category/name`; of a text without signs, its words. */
export function filterOf(text: string): { matches: (panel: { category: string; name: string }) => boolean; wrong: boolean } {
  let wrong = false;
  let patterns: RegExp[];
  try {
    patterns = (SPECIAL.test(text) ? [text.trim()] : text.split(/\s+/).filter(Boolean)).map((part) => new RegExp(part, "i"));
  } catch {
    wrong = true;
    patterns = [new RegExp(text.trim().replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i")];
  }
  const matches = ({ category, name }: { category: string; name: string }) => patterns.every((one) => one.test(name) || one.test(category) || one.test(`${category}/${name}`));
  return { matches, wrong };
}

/** Grouped as it was chosen; by itself where there are more charts than are shown at once. */
export function foldsOf(panels: Panel[], by: By, together: Together): Fold[] {
  const chosen = by === "auto" ? usualGroups(panels, together) : by;
  const folds = new Map<string, Panel[]>();
  const add = (key: string, panel: Panel) => folds.set(key, [...(folds.get(key) ?? []), panel]);
  for (const panel of panels) add(chosen === "category" ? panel.category : chosen === "prefix" ? prefixOf(panel.name) : "", panel);
  if (together === "name" && chosen === "category") {
    return [{ key: "", title: "", panels: joined(panels, (panel) => panel.name, (panel) => panel.name) }];
  }
  return [...folds].map(([key, inside]) => ({
    key,
    title: key || (folds.size > 1 ? (chosen === "category" ? "no category" : "no prefix") : ""),
    panels: together === "apart" ? inside : together === "name" ? joined(inside, (panel) => panel.name, (panel) => panel.name) : joined(inside, (panel) => (isAxis(panel) ? panel.key : key), () => key || "all metrics"),
  }));
}

function usualGroups(panels: Panel[], together: Together): By {
  const several = (of: (panel: Panel) => string) => new Set(panels.map(of)).size > 1;
  if (panels.length <= STEP && together !== "group") return "none";
  return several((panel) => panel.category) ? "category" : several((panel) => prefixOf(panel.name)) ? "prefix" : "none";
}

function joined(panels: Panel[], keyOf: (panel: Panel) => string, nameOf: (panel: Panel) => string): Panel[] {
  const found = new Map<string, Panel[]>();
  for (const panel of panels) found.set(keyOf(panel), [...(found.get(keyOf(panel)) ?? []), panel]);
  return [...found].map(([key, inside]) =>
    inside.length === 1 ? inside[0]! : { key: `all\u0000${key}`, category: "", name: nameOf(inside[0]!), of: inside.flatMap((panel) => panel.of), joint: true },
  );
}

/** What a chart is drawn over: by itself the metric that all of its lines were reported with, else the time. */
export function xOf(panel: Panel, axis: Axis): X {
  if (axis === "auto") {
    const name = panel.of[0]!.series.along.find((one) => panel.of.every((member) => member.series.along.includes(one)));
    return name === undefined ? "elapsed" : `metric:${name}`;
  }
  return panel.of.every((member) => axis === `metric:${member.series.name}`) ? "elapsed" : axis;
}

/** What hides a line by its legend: in charts of one metric the run, everywhere. */
export const lineKey = (panel: Panel, member: Member) => (panel.joint ? `${member.run.id}\u0000${metricKey(member.series)}` : member.run.id);

const LOWER = /(^|[^a-z])(loss|losses|error|errors|err|mae|mse|rmse|nll|perplexity|wer|cer|fid|cost|kl|latency|seconds|time|duration)($|[^a-z])/i;

/** Whether less of a metric is better, as far as its name tells. */
export const isLower = (name: string) => LOWER.test(name.replace(/([a-z])([A-Z])/g, "$1 $2"));

export const best = (series: Series) => (isLower(series.name) ? series.min : series.max);

/** Places of the best of some values of a metric; none if all are the same. */
export function bestPlaces(name: string, values: (number | undefined)[]): Set<number> {
  const known = values.filter((value): value is number => value !== undefined);
  const top = isLower(name) ? Math.min(...known) : Math.max(...known);
  if (known.every((value) => value === top)) return new Set();
  return new Set(values.flatMap((value, at) => (value === top ? [at] : [])));
}
