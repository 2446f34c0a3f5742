import type uPlot from "uplot";

/** How close two fingers may be to mean anything, in px. */
const LEAST = 24;

/** Two fingers on a plot: it follows them while they move, and what is seen then is told when one of them leaves. */
export function followFingers(u: uPlot, onRange: (range: [number, number]) => void): void {
  let held: [number, number] | null = null;
  const places = (event: TouchEvent): [number, number] => {
    const { left } = u.over.getBoundingClientRect();
    return [event.touches[0]!.clientX - left, event.touches[1]!.clientX - left];
  };
  const hold = (event: TouchEvent) => {
    if (event.touches.length !== 2) return;
    const [one, other] = places(event);
    held = Math.abs(other - one) < LEAST ? null : [u.posToVal(one, "x"), u.posToVal(other, "x")];
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  };
  const move = (event: TouchEvent) => {
    if (!held || event.touches.length !== 2) return;
    const [one, other] = places(event);
    if (Math.abs(other - one) < LEAST) return;
    const each = (held[1] - held[0]) / (other - one);
    if (!(each > 0)) return; // the fingers have crossed
    const min = held[0] - one * each;
    u.setScale("x", { min, max: min + u.over.clientWidth * each });
    if (event.cancelable) event.preventDefault();
  };
  const leave = () => {
    const { min, max } = u.scales.x ?? {};
    if (held && min != null && max != null) onRange([min, max]);
    held = null;
  };
  u.over.addEventListener("touchstart", hold, { passive: true });
  u.over.addEventListener("touchmove", move, { passive: false });
  u.over.addEventListener("touchend", leave);
  u.over.addEventListener("touchcancel", leave);
}
