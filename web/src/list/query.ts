// The filter of the list: words, and terms like lr>0.01, tag:baseline, -state:done. It imports nothing, so that Node runs it.

export type Operator = ":" | "=" | "!=" | "<" | "<=" | ">" | ">=";

export interface Term {
  /** Empty for a word that is searched for in the whole row. */
  field: string;
  operator: Operator;
  value: string;
  /** The value as a number, with its unit: 1h is 3600, 2GiB is 2147483648; NaN for a text. */
  number: number;
  negated: boolean;
}

/** A place of the text that cannot be read, and why. */
export interface Mistake {
  begin: number;
  end: number;
  why: string;
}

export interface Query {
  terms: Term[];
  mistake: Mistake | null;
}

/** What a filter knows of a row. */
export interface Fields {
  /** The lower-case text that words are searched for in. */
  text: string;
  /** The values of a field; empty if the row has none. */
  values(field: string): (string | number)[];
}

const UNITS: Record<string, number> = { "": 1, "%": 0.01, ms: 0.001, s: 1, m: 60, min: 60, h: 3600, d: 86400, k: 1e3, M: 1e6, G: 1e9, B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 };
const COMPARISON = /^(<=|>=|!=|=|<|>)/;
/** Fields whose text is compared as a whole, also with a colon. */
const WHOLE = new Set(["tag", "state"]);

/** Read a text. `nearest`: null for a known field, else the most similar known one, or "". */
export function parse(text: string, nearest: (field: string) => string | null = () => null): Query {
  const terms: Term[] = [];
  const mistaken = (begin: number, end: number, why: string): Query => ({ terms, mistake: { begin, end: Math.max(end, begin + 1), why } });
  let at = 0;
  const spaces = () => {
    while (/\s/.test(text[at] ?? "")) at += 1;
  };
  for (spaces(); at < text.length; spaces()) {
    const begin = at;
    const negated = text[at] === "-" && /[^\s\d.]/.test(text[at + 1] ?? "");
    if (negated) at += 1;
    if (text[at] === '"') {
      const end = text.indexOf('"', at + 1);
      if (end < 0) return mistaken(at, text.length, "the closing quote is missing");
      terms.push(term("", ":", text.slice(at + 1, end), negated));
      at = end + 1;
      continue;
    }
    const fieldAt = at;
    while (at < text.length && !/[\s:<>=]/.test(text[at]!) && text.slice(at, at + 2) !== "!=") at += 1;
    const field = text.slice(fieldAt, at);
    const afterField = at;
    spaces();
    let operator = COMPARISON.exec(text.slice(at))?.[0] as Operator | undefined;
    if (text[afterField] === ":") {
      at = afterField;
      operator = ":";
    }
    if (!operator) {
      terms.push(term("", ":", field, negated));
      at = afterField;
      continue;
    }
    const operatorAt = at;
    at += operator.length;
    if (!field) return mistaken(operatorAt, at, `a column is missing before ${operator}`);
    if (operator !== ":") spaces();
    let value = "";
    const valueAt = at;
    if (text[at] === '"') {
      const end = text.indexOf('"', at + 1);
      if (end < 0) return mistaken(at, text.length, "the closing quote is missing");
      value = text.slice(at + 1, end);
      at = end + 1;
    } else {
      while (at < text.length && !/\s/.test(text[at]!)) at += 1;
      value = text.slice(valueAt, at);
    }
    if (!value) return mistaken(begin, valueAt, `a value is missing after ${operator}`);
    const near = nearest(field);
    if (near !== null) return mistaken(fieldAt, afterField, `no run has ${field}${near ? `; the nearest is ${near}` : ""}`);
    const found = term(field, operator, value, negated);
    if (/[<>]/.test(operator) && Number.isNaN(found.number)) return mistaken(valueAt, at, `${value} is no number`);
    terms.push(found);
  }
  return { terms, mistake: null };
}

function term(field: string, operator: Operator, value: string, negated: boolean): Term {
  return { field, operator, value, number: measure(value), negated };
}

/** A number with its unit, or the milliseconds of a date; NaN for a text. */
export function measure(text: string): number {
  const [, digits, unit = ""] = /^([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*([a-zA-Z%]*)$/i.exec(text) ?? [];
  const factor = Object.hasOwn(UNITS, unit) ? UNITS[unit] : undefined;
  if (digits !== undefined) return factor === undefined ? NaN : Number(digits) * factor;
  return /^\d{4}-\d\d(-\d\d)?/.test(text) ? Date.parse(text.length <= 10 ? `${text}${text.length === 7 ? "-01" : ""}T00:00` : text) : NaN;
}

export function matches(query: Query, row: Fields): boolean {
  return query.terms.every((one) => holds(one, row) !== one.negated);
}

function holds(one: Term, row: Fields): boolean {
  if (!one.field) return row.text.includes(one.value.toLowerCase());
  const values = row.values(one.field);
  return one.operator === "!=" ? !values.some((value) => equal(one, value)) : values.some((value) => compared(one, value));
}

function compared(one: Term, value: string | number): boolean {
  if (one.operator === "=" || (one.operator === ":" && (typeof value === "number" || WHOLE.has(one.field)))) return equal(one, value);
  if (one.operator === ":") return String(value).toLowerCase().includes(one.value.toLowerCase());
  if (typeof value !== "number") return false;
  return one.operator === "<" ? value < one.number : one.operator === "<=" ? value <= one.number : one.operator === ">" ? value > one.number : value >= one.number;
}

function equal(one: Term, value: string | number): boolean {
  if (typeof value === "number" && !Number.isNaN(one.number)) return value === one.number;
  return String(value).toLowerCase() === one.value.toLowerCase();
}
