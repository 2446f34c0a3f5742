import { ago, clock } from "./format";
import { Bar, ProgressText } from "./parts";
import type { Details } from "./types";

/** The first digits of an id of Ray tell it apart from others. */
const shortId = (worker: string) => (/^[0-9a-f]{16,}$/.test(worker) ? worker.slice(0, 8) : worker);

export function ProgressList({ details, now }: { details: Details; now: number }) {
  if (!details.progress.length) return <p class="muted empty-line">Nothing has reported progress yet.</p>;
  return (
    <ul class="card progress-list">
      {details.progress.map((one) => {
        const done = (one.ratio ?? 0) >= 1;
        const tone = done ? "good" : details.lives ? (details.row.state === "stalled" ? "warn" : "live") : "bad";
        return (
          <li key={`${one.category} ${one.worker}`} data-category={one.category} data-worker={one.worker} class={one.worker ? "progress-worker" : ""}>
            <div class="progress-head">
              {one.worker
                ? <span class="small muted" title={one.worker}>worker {shortId(one.worker)}</span>
                : <span class={one.category ? "" : "strong"}>{one.category || "whole job"}</span>}
              <span class="small right"><ProgressText progress={one} now={now} lives={details.row.state === "live"} /></span>
            </div>
            <Bar ratio={one.ratio} tone={tone} label={`Progress of ${one.category || "the job"}${one.worker && `, worker ${one.worker}`}`} />
            {!done && <span class="small muted" title={clock(one.time)}>{details.lives ? `moved ${ago(one.time, now)}` : `stopped ${clock(one.time)}`}</span>}
          </li>
        );
      })}
    </ul>
  );
}
