// The table as a file: what is shown, of all runs that match.
import { useState } from "preact/hooks";
import type { Row, Source } from "../types";
import { type Column, csv, tableOf } from "./columns";

export function Exports({ source, columns, rows, now }: { source: Source; columns: Column[]; rows: Row[]; now: number }) {
  const [failure, setFailure] = useState("");
  const parquet = async () => {
    setFailure("");
    try {
      download(await source.parquet!(tableOf(columns, rows, now)), "runs.parquet");
    } catch (error) {
      setFailure((error as Error).message);
    }
  };
  return (
    <>
      <button type="button" class="quiet bordered" disabled={!rows.length} onClick={() => download(new Blob([csv(columns, rows, now)], { type: "text/csv" }), "runs.csv")}>CSV</button>
      {source.parquet && <button type="button" class="quiet bordered" disabled={!rows.length} onClick={() => void parquet()}>Parquet</button>}
      {failure && <span class="bad-text export-failure" role="alert">{failure}</span>}
    </>
  );
}

function download(content: Blob, name: string) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
