import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../parts";

export interface Way {
  label: string;
  icon: "left" | "right" | "up" | "down";
  /** Keys that do the same. */
  keyed: string;
  go: (() => void) | null;
}

/** One image in full size, over the page. */
export function Lightbox({ url, alt, title, pixels, ways, children, missing, onClose, onError }: { url: string | null; alt: string; title: string; pixels: boolean; ways: Way[]; children: ComponentChildren; missing: ComponentChildren; onClose: () => void; onError: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [actual, setActual] = useState(false);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  const keyed = (event: KeyboardEvent) => {
    const way = ways.find((one) => one.keyed === event.key);
    if (!way?.go || (actual && event.target instanceof Element && event.target.classList.contains("lightbox-image"))) return;
    event.preventDefault();
    way.go();
  };
  return (
    <dialog
      ref={dialog}
      class="lightbox"
      aria-label={title}
      onClose={onClose}
      onKeyDown={keyed}
      onClick={(event) => {
        if (event.target === event.currentTarget) dialog.current?.close();
      }}
    >
      <div class="lightbox-inner">
        <header class="lightbox-head">
          <h2>{title}</h2>
          <div class="tools">
            {ways.map((way) => (
              <button key={way.icon} type="button" class="quiet bordered" disabled={!way.go} onClick={() => way.go?.()} title={way.label} aria-label={way.label}><Icon name={way.icon} /></button>
            ))}
            {url && <button type="button" class="quiet bordered" aria-pressed={actual} aria-label="Actual size" title="Actual size" onClick={() => setActual(!actual)}>1:1</button>}
            <button type="button" class="quiet bordered" onClick={() => dialog.current?.close()} aria-label="Close" title="Close"><Icon name="cross" /></button>
          </div>
        </header>
        <div class={`lightbox-image ${actual ? "actual" : ""} ${pixels ? "pixels" : ""}`} tabIndex={actual ? 0 : undefined} role={actual ? "region" : undefined} aria-label={actual ? "The image, to be scrolled" : undefined}>
          {url ? <img key={url} src={url} alt={alt} onError={onError} /> : <div class="muted lightbox-none">{missing}</div>}
        </div>
        <div class="lightbox-words">{children}</div>
      </div>
    </dialog>
  );
}
