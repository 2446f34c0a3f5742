// What can be done with the chosen runs.
import { useState } from "preact/hooks";
import { count, plural } from "../format";
import type { Row, Source } from "../types";

interface TrayProps {
  source: Source;
  /** The chosen runs. */
  picked: Row[];
  pinned: string[];
  hidden: string[];
  setPinned: (ids: string[]) => void;
  setHidden: (ids: string[]) => void;
  clear: () => void;
}

export function Tray({ source, picked, pinned, hidden, setPinned, setHidden, clear }: TrayProps) {
  const [asks, setAsks] = useState(false);
  const [failure, setFailure] = useState("");
  const ids = picked.map((row) => row.id);
  const inAll = (kept: string[]) => ids.every((id) => kept.includes(id));
  const turned = (kept: string[]) => (inAll(kept) ? kept.filter((id) => !ids.includes(id)) : [...new Set([...kept, ...ids])]);
  const remove = async () => {
    setAsks(false);
    const failures = new Set<string>();
    for (const id of new Set(picked.flatMap((row) => (row.attempts.length ? row.attempts : [row.id])))) {
      await source.remove?.(id).catch((error: Error) => failures.add(error.message));
    }
    setFailure([...failures].join("; "));
    if (!failures.size) clear();
  };
  if (asks) return <Asking picked={picked} onYes={() => void remove()} onNo={() => setAsks(false)} />;
  return (
    <div class="tray" role="region" aria-label="Chosen runs">
      <span>{plural(ids.length, "run")} chosen</span>
      {failure && <span class="bad-text" role="alert">Not deleted: {failure}</span>}
      <button type="button" class="quiet" onClick={clear}>Clear</button>
      <button type="button" class="quiet" onClick={() => setPinned(turned(pinned))}>{inAll(pinned) ? "Unpin" : "Pin"}</button>
      <button type="button" class="quiet" onClick={() => { setHidden(turned(hidden)); clear(); }}>{inAll(hidden) ? "Show" : "Hide"}</button>
      {source.remove && <button type="button" class="quiet" onClick={() => { setFailure(""); setAsks(true); }}>Delete</button>}
      {ids.length > 1 ? (
        <a class="button" href={`#/compare/${ids.slice(0, 24).map(encodeURIComponent).join(",")}`}>Compare{ids.length > 24 ? " the first 24" : ""}</a>
      ) : (
        <span class="muted wide-only">choose one more to compare</span>
      )}
    </div>
  );
}

function Asking({ picked, onYes, onNo }: { picked: Row[]; onYes: () => void; onNo: () => void }) {
  const pending = picked.reduce((sum, row) => sum + row.pending, 0);
  const attempts = picked.some((row) => row.attempts.length);
  return (
    <div class="tray" role="alertdialog" aria-label="Delete runs" aria-describedby="asked" onKeyDown={(event) => event.key === "Escape" && onNo()}>
      <span id="asked">
        Delete {plural(picked.length, "run")}{attempts ? " with all attempts" : ""} from this machine?
        {pending > 0 && <strong class="bad-text"> {count(pending)} records are not delivered, and will be lost.</strong>}
      </span>
      <button type="button" class="quiet" ref={(button) => button?.focus()} onClick={onNo}>Keep</button>
      <button type="button" class="button danger" onClick={onYes}>Delete</button>
    </div>
  );
}
