import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Details, Source } from "./types";

let skew = 0;

/** The server's time: over a tunnel its clock may be another one. */
export const serverNow = () => Date.now() + skew;

export function useNow(every: number, running = true): number {
  const [now, set] = useState(serverNow());
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => set(serverNow()), every);
    return () => clearInterval(timer);
  }, [every, running]);
  return now;
}

/** Whether a media query holds. */
export function useMedia(query: string): boolean {
  const [holds, set] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const changed = () => set(media.matches);
    changed();
    media.addEventListener("change", changed);
    return () => media.removeEventListener("change", changed);
  }, [query]);
  return holds;
}

/** Call `work` soon, but not more often than every `every` ms, and never twice at a time. */
export function usePaced(work: () => Promise<void>, every: number): () => void {
  const state = useRef({ busy: false, again: false, last: 0, timer: 0, work, gone: false });
  state.current.work = work;
  useEffect(() => {
    state.current.gone = false;
    return () => {
      state.current.gone = true;
      clearTimeout(state.current.timer);
      state.current.timer = 0;
    };
  }, []);
  return useCallback(() => {
    const s = state.current;
    const start = () => {
      s.timer = 0;
      if (s.gone) return;
      if (s.busy) {
        s.again = true;
        return;
      }
      s.busy = true;
      s.last = performance.now();
      void s.work().finally(() => {
        s.busy = false;
        if (s.again) {
          s.again = false;
          plan();
        }
      });
    };
    const plan = () => {
      if (s.timer) return;
      s.timer = window.setTimeout(start, Math.max(s.last + every - performance.now(), 0));
    };
    plan();
  }, [every]);
}

export interface Watched {
  details: Record<string, Details>;
  errors: Record<string, string>;
  connected: boolean;
}

/** All about some runs, kept up to date. */
export function useRuns(source: Source, ids: string[]): Watched {
  const key = ids.join("\n");
  const [details, setDetails] = useState<Record<string, Details>>({});
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [connected, setConnected] = useState(true);
  const stale = useRef(new Set<string>());

  const asked = useRef(ids);
  asked.current = ids;
  const fetchThem = useCallback(async () => {
    const wanted = [...stale.current];
    stale.current.clear();
    for (const id of wanted) {
      try {
        let found: Details;
        do {
          found = await source.details(id);
          skew = source.live ? found.now - Date.now() : 0;
          setDetails((before) => ({ ...before, [id]: found }));
          setErrors(({ [id]: _gone, ...rest }) => rest);
        } while (found.reading < 1 && asked.current.includes(id)); // each answer reads on
      } catch (error) {
        setErrors((before) => ({ ...before, [id]: String((error as Error).message) }));
      }
    }
  }, [source, key]);
  const refresh = usePaced(fetchThem, 250);

  useEffect(() => {
    setDetails((before) => Object.fromEntries(Object.entries(before).filter(([id]) => ids.includes(id))));
    ids.forEach((id) => stale.current.add(id));
    refresh();
    return source.watch(
      { runs: ids },
      {
        run: (event) => {
          if (event.error) setErrors((before) => ({ ...before, [event.id]: event.error! }));
          else {
            stale.current.add(event.id);
            refresh();
          }
        },
        connected: setConnected,
      },
    );
  }, [source, key]);

  return { details, errors, connected };
}

/** A value that is remembered by this browser. */
export function useKept<T>(name: string, first: T): [T, (value: T) => void] {
  const [value, set] = useState<T>(() => {
    try {
      const text = localStorage.getItem(`synapse-otel.${name}`);
      return text === null ? first : (JSON.parse(text) as T);
    } catch {
      return first; // storage is off, or holds what an older page kept
    }
  });
  return [
    value,
    (next: T) => {
      set(next);
      try {
        localStorage.setItem(`synapse-otel.${name}`, JSON.stringify(next));
      } catch {
        // remembered for this page only
      }
    },
  ];
}
