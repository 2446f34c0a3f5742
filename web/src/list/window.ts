// What of a long table is in view: only those rows and columns are drawn.
import type { RefObject } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

/** A part of a list: from `begin` on, without `end`. */
export interface Part {
  begin: number;
  end: number;
}

/** Fewer are drawn all. */
const MANY_ROWS = 40;
const MANY_COLUMNS = 24;
const SPARE_ROWS = 8;
const SPARE_COLUMNS = 3;
/** A part begins at a multiple of it, so that not every step of scrolling draws again. */
const GRAIN = 4;

/** Where each of some sizes begins, and the end of the last. */
export function places(sizes: number[]): number[] {
  const found = [0];
  for (const size of sizes) found.push(found[found.length - 1]! + size);
  return found;
}

/** The part of a list that is between two places, with some more on both sides. */
export function partBetween(starts: number[], from: number, to: number, spare: number): Part {
  const count = starts.length - 1;
  const first = Math.max(after(starts, from) - 1 - spare, 0);
  const begin = first - (first % GRAIN);
  const end = after(starts, to) + spare;
  return { begin: Math.min(begin, count), end: Math.min(end + GRAIN - 1 - ((end - 1) % GRAIN), count) };
}

/** The number of places up to one. */
function after(starts: number[], place: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle]! <= place) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface Parts {
  rows: Part;
  columns: Part;
}

/** What of a box is in view, in pixels. */
interface Seen {
  top: number;
  left: number;
  height: number;
  width: number;
}

/** The rows and columns of a box that are in view; all of them where there are few. `rows`: where each begins. */
export function useParts(box: RefObject<HTMLElement | null>, rows: number[], columns: number[]): Parts {
  const [seen, setSeen] = useState<Seen>({ top: 0, left: 0, height: innerHeight, width: innerWidth });
  const drawn = useRef<Parts | null>(null);
  drawn.current = useMemo(() => partsOf(seen, rows, columns, drawn.current), [seen, rows, columns]);
  useLayoutEffect(() => {
    const element = box.current!;
    const look = () => {
      const now = { top: element.scrollTop, left: element.scrollLeft, height: element.clientHeight, width: element.clientWidth };
      const next = partsOf(now, rows, columns, drawn.current);
      if (next.rows !== drawn.current!.rows || next.columns !== drawn.current!.columns) setSeen(now);
    };
    look();
    element.addEventListener("scroll", look, { passive: true });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", look);
      observer.disconnect();
    };
  }, [rows, columns]);
  return drawn.current;
}

/** The parts that are in view; one that is the same as before is the same object. */
function partsOf({ top, left, height, width }: Seen, rows: number[], columns: number[], before: Parts | null): Parts {
  const part = (starts: number[], many: number, from: number, to: number, spare: number, last?: Part): Part => {
    const found = starts.length <= many ? { begin: 0, end: starts.length - 1 } : partBetween(starts, from, to, spare);
    return last && last.begin === found.begin && last.end === found.end ? last : found;
  };
  return {
    rows: part(rows, MANY_ROWS, top, top + height, SPARE_ROWS, before?.rows),
    columns: part(columns, MANY_COLUMNS, left, left + width, SPARE_COLUMNS, before?.columns),
  };
}
