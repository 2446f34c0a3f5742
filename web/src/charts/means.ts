// Several runs as one line: their mean, within the least and the most of them.
import type { Line } from "./chart";

/** Places of a mean at most. */
const PLACES = 400;

/** Lines of one group as their mean with its band; where only some of them have values, of those. */
export function meanOf(lines: Line[], label: string, colour: number): Line {
  const drawn = lines.map((line) => line.smooth ?? line).filter((line) => line.x.length);
  const all = [...new Set(drawn.flatMap((line) => line.x))].sort((one, other) => one - other);
  const x = all.length <= PLACES ? all : Array.from({ length: PLACES }, (_, at) => all[Math.round((at * (all.length - 1)) / (PLACES - 1))]!);
  const readers = drawn.map(reader);
  const found: { x: number; values: number[] }[] = x.map((at) => ({ x: at, values: readers.flatMap((read) => read(at) ?? []) }));
  return {
    label,
    colour,
    x: found.map((one) => one.x),
    y: found.map(({ values }) => values.reduce((sum, value) => sum + value, 0) / values.length),
    band: { low: found.map(({ values }) => Math.min(...values)), high: found.map(({ values }) => Math.max(...values)) },
  };
}

/** What reads a line at rising places, between its points on the straight line; null before its first and after its last. */
function reader({ x, y }: { x: number[]; y: number[] }): (at: number) => number | null {
  let place = 0;
  return (at) => {
    while (place < x.length && x[place]! < at) place += 1;
    if (place === x.length || (place === 0 && x[0]! > at)) return null;
    if (x[place] === at) return y[place]!;
    const share = (at - x[place - 1]!) / (x[place]! - x[place - 1]!);
    return y[place - 1]! + share * (y[place]! - y[place - 1]!);
  };
}
