// What the list shows and how: it stands in the address, and is remembered by this browser.
import { useEffect, useState } from "preact/hooks";
import { useKept } from "../hooks";
import { ALWAYS } from "./columns";

export interface View {
  text: string;
  state: string | null;
  /** Key of a column, with a minus before it for the largest first. */
  sort: string;
  /** Keys; null: what is there by itself (`unasked`). */
  columns: string[] | null;
  /** Key of the column that the runs are grouped by; empty for none. */
  group: string;
}

export const PLAIN: View = { text: "", state: null, sort: "-start", columns: null, group: "" };

function readAddress(hash: string): View | null {
  const at = hash.indexOf("?");
  if (!/^#\/\?/.test(hash)) return null;
  const asked = new URLSearchParams(hash.slice(at + 1));
  const columns = asked.get("columns")?.split(",").map(decoded).filter(Boolean) ?? null;
  return {
    text: asked.get("q") ?? "",
    state: asked.get("state"),
    sort: asked.get("sort") ?? PLAIN.sort,
    columns: columns && [...ALWAYS, ...columns.filter((key) => !ALWAYS.includes(key))],
    group: asked.get("group") ?? "",
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function address(view: View): string {
  const asked = new URLSearchParams();
  if (view.text) asked.set("q", view.text);
  if (view.state !== null) asked.set("state", view.state);
  if (view.sort !== PLAIN.sort) asked.set("sort", view.sort);
  if (view.columns) asked.set("columns", view.columns.map(encodeURIComponent).join(","));
  if (view.group) asked.set("group", view.group);
  const text = asked.toString();
  return text ? `#/?${text}` : "#/";
}

/** What was remembered may be of another version. */
function sound(kept: View): View {
  const whole = { ...PLAIN, ...kept };
  return (whole.columns === null || Array.isArray(whole.columns)) && typeof whole.text === "string" && typeof whole.sort === "string" ? whole : PLAIN;
}

export function useView(hash: string): [View, (change: Partial<View>) => void] {
  const [kept, keep] = useKept<View>("list", PLAIN);
  const [view, setView] = useState<View>(() => readAddress(location.hash) ?? sound(kept));
  useEffect(() => {
    const found = readAddress(hash);
    if (found && address(found) !== address(view)) setView(found);
  }, [hash]);
  useEffect(() => {
    keep(view);
    if ((location.hash || "#/") !== address(view)) history.replaceState(null, "", address(view));
  }, [view, hash]);
  return [view, (change) => setView((before) => ({ ...before, ...change }))];
}
