/** Letters that two texts may differ in, as a share of the longer one, to be near. */
const NEAR = 0.4;

/** The name that differs from a text in the fewest letters, the first of equals; empty if none is near. */
export function nearest(text: string, names: string[]): string {
  const wanted = text.trim().toLowerCase();
  let found = "";
  let least = Infinity;
  for (const name of new Set(names)) {
    const share = distance(wanted, name.toLowerCase()) / Math.max(wanted.length, name.length, 1);
    if (share < least) [found, least] = [name, share];
  }
  return least <= NEAR ? found : "";
}

/** Letters to put in, take out or replace to make one text of the other (Levenshtein). */
function distance(one: string, other: string): number {
  let before = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let row = 1; row <= one.length; row++) {
    const now = [row];
    for (let at = 1; at <= other.length; at++) {
      now[at] = Math.min(before[at]! + 1, now[at - 1]! + 1, before[at - 1]! + (one[row - 1] === other[at - 1] ? 0 : 1));
    }
    before = now;
  }
  return before[other.length]!;
}
