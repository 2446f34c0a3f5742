import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import { ComparePage } from "./compare";
import { useKept } from "./hooks";
import { ListPage } from "./list";
import { RunPage } from "./run";
import type { Source } from "./types";
import { Icon } from "./parts";

type Theme = "auto" | "light" | "dark";
const NEXT: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
const SAID: Record<Theme, string> = { auto: "same as the system", light: "light", dark: "dark" };

export function App({ source }: { source: Source }) {
  const [hash, setHash] = useState(location.hash);
  const [theme, setTheme] = useKept<Theme>("theme", "auto");
  useEffect(() => {
    const changed = () => {
      setHash(location.hash);
      window.scrollTo(0, 0);
    };
    window.addEventListener("hashchange", changed);
    return () => window.removeEventListener("hashchange", changed);
  }, []);
  useLayoutEffect(() => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    window.dispatchEvent(new Event("themechange"));
  }, [theme]);
  const known = NEXT[theme] ? theme : "auto";
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>
        Skip to content
      </a>
      <header class="top">
        <a class="brand" href={source.only === null ? "#/" : "#"} aria-label="synapse-otel: all runs">
          <Icon name="pulse" />
          <span>synapse-otel</span>
        </a>
        <button class="quiet icon-text" type="button" onClick={() => setTheme(NEXT[known])} aria-label={`Colours: ${SAID[known]}`} title={`Colours: ${SAID[known]}`}>
          <Icon name={known === "dark" ? "moon" : known === "light" ? "sun" : "auto"} />
          <span class="wide-only">{known}</span>
        </button>
      </header>
      <main id="main" tabIndex={-1}>
        <Routed source={source} hash={hash} />
      </main>
    </>
  );
}

function Routed({ source, hash }: { source: Source; hash: string }) {
  const [, page = "", rest = ""] = /^#\/(\w*)\/?(.*)$/.exec(hash) ?? [];
  if (source.only !== null) return <RunPage source={source} id={source.only} />;
  const ids = rest.split(",").filter(Boolean).map(decoded);
  if (page === "run" && ids[0]) return <RunPage key={ids[0]} source={source} id={ids[0]} />;
  if (page === "compare" && ids.length) return <ComparePage source={source} ids={ids} />;
  return <ListPage source={source} hash={hash} />;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
