// Which columns the table has.
import { useMemo, useState } from "preact/hooks";
import { ALWAYS, type Column } from "./columns";

const SHOWN = 300;

export function Chooser({ all, chosen, onChange }: { all: Column[]; chosen: string[]; onChange: (keys: string[] | null) => void }) {
  const [text, setText] = useState("");
  const found = useMemo(() => all.filter((one) => !ALWAYS.includes(one.key) && one.label.toLowerCase().includes(text.toLowerCase())), [all, text]);
  const groups = [...new Set(found.map((one) => one.group))];
  const toggle = (key: string) => onChange(chosen.includes(key) ? chosen.filter((one) => one !== key) : [...chosen, key]);
  return (
    <div class="chooser card" role="group" aria-label="Columns">
      <div class="tools">
        <input type="search" placeholder="Find a column" aria-label="Find a column" value={text} onInput={(event) => setText(event.currentTarget.value)} />
        <button type="button" class="quiet" onClick={() => onChange(null)}>Reset</button>
      </div>
      {!found.length && <p class="muted">No run has such a column.</p>}
      <div class="chooser-groups">
        {groups.map((group) => (
          <fieldset key={group}>
            <legend>{group}</legend>
            {found.filter((one) => one.group === group).slice(0, SHOWN).map((one) => (
              <label key={one.key}>
                <input type="checkbox" checked={chosen.includes(one.key)} onChange={() => toggle(one.key)} />
                <span>{one.label}</span>
              </label>
            ))}
          </fieldset>
        ))}
      </div>
    </div>
  );
}
