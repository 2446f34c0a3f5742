import { render } from "preact";
import { App } from "./app";
import { FileSource, type Written } from "./file";
import { HttpSource } from "./http";
import "uplot/dist/uPlot.min.css";
import "./style.css";
import type { Source } from "./types";

function source(): Source {
  const written = document.getElementById("synapse-otel-run");
  return written ? new FileSource(JSON.parse(written.textContent ?? "") as Written) : new HttpSource();
}

const asked = new URLSearchParams(location.search).get("run");
if (asked !== null) history.replaceState(null, "", `${location.pathname}#/run/${encodeURIComponent(asked)}`);

render(<App source={source()} />, document.getElementById("app")!);
