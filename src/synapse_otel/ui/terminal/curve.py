"""One metric as a large curve that can be zoomed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from synapse_otel.runs.live.entry import Json
from synapse_otel.runs.live.store import RunStore
from synapse_otel.ui.formats import clock, offset, printable
from synapse_otel.ui.glyphs import Glyphs
from synapse_otel.ui.terminal.metrics import metric_name, metric_value
from synapse_otel.ui.terminal.plot import AXIS, Plot
from synapse_otel.ui.terminal.watching import Key, KeyLine, Watching

_SHORTEST: Final = 0.001
"""Milliseconds that a curve is looked at, at least."""


class CurveScreen(Watching):
    """One metric as large as the terminal is, live."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,equals_sign,up", "zoom(0.5)", show=False),
        Binding("minus,down", "zoom(2)", show=False),
        Binding("left,h", "pan(-0.25)", show=False),
        Binding("right", "pan(0.25)", show=False),
        Binding("0", "whole", show=False),
        Binding("l", "logarithmic", show=False),
    ]
    CSS = Watching.CSS + "#curve { height: 1fr; }"

    def __init__(self, store: RunStore, glyphs: Glyphs, name: str, series: Json, begin: float) -> None:
        super().__init__(store, glyphs)
        self._run_id = name
        self._series = series
        self._start = begin
        self._range: tuple[float, float] | None = None
        """Between which times it is looked at, as Unix ms; None: all of it."""
        self._whole: tuple[float, float] | None = None
        self._known: object = None
        """What was read last: of which version, range and width."""
        self._logarithmic = False
        self._drawn: Json = {"t": [], "v": [], "n": []}
        self._nonfinite: list[str] = []

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Static(classes="head", markup=False)
        yield Static(id="curve", markup=False)
        yield KeyLine()

    def keys(self) -> Sequence[Key]:
        """Return the screen's own keys."""
        return (
            ("esc", "back"), ("+ -", "zoom"), ("left right", "move"), ("0", "all"),
            ("l", "linear" if self._logarithmic else "log scale"),
        )  # fmt: skip

    def fetch(self) -> Any:
        """Return the curve; called in a thread."""
        version = self.store.version(self._run_id)
        asked = version, self._range, self.size.width
        if asked == self._known:
            return None
        begin, end = self._range or (None, None)
        number = self._series["id"]
        points = max(self.size.width, 20) * 4
        curves = self.store.curves(self._run_id, [number], points, begin=begin, end=end)["curves"]
        told = self.store.details(self._run_id)
        series = next((one for one in told["series"] if one["id"] == number), self._series)
        return asked, series, curves.get(number, self._drawn), told["nonfinite"]

    def show(self, found: Any) -> None:
        """Take the curve, and draw it."""
        if found is not None:
            self._known, self._series, self._drawn, odd = found
            times = self._drawn["t"]
            if self._range is None and times:
                self._whole = times[0], times[-1]
            name, category = self._series["name"], self._series["category"]
            self._nonfinite = [one["value"] for one in odd if (one["category"], one["name"]) == (category, name)]
        self._draw()

    def _draw(self) -> None:
        one, times = self._series, self._drawn["t"]
        width, height = self.size.width, max(self.size.height - 5, 4)
        head = Text(no_wrap=True, overflow="ellipsis").append(metric_name(one), "bold")
        unit = f" {printable(one['unit'])}" if one["unit"] not in {"", "1"} else ""
        facts = (
            f"latest {metric_value(one['last'])}{unit}  min {metric_value(one['min'])}  max {metric_value(one['max'])}"
        )
        head.append(f"\n{facts}  {one['count']:,} values")
        if self._nonfinite:
            head.append(f"  {len(self._nonfinite)} not a number", "red")
        head.append(f"  {self.error}", "yellow")
        self.query_one(".head", Static).update(head)
        drawn = Plot(times, self._drawn["v"], self._range, logarithmic=self._logarithmic).lines(
            width, height, self.glyphs
        )
        seen = self._range or self._whole
        left, right = (self._when(seen[0]), self._when(seen[1])) if seen else ("", "")
        room = max(width - AXIS - len(left), len(right) + 1)
        axis = Text(" " * AXIS + left + f"{right:>{room}}", "dim")
        self.query_one("#curve", Static).update(Text("\n").join([*drawn, axis]))

    def _when(self, time: float) -> str:
        return offset((time - self._start) / 1000) if self._start else clock(int(time * 1e6))

    def on_resize(self) -> None:
        """Draw it as large as there is room for."""
        self._draw()

    # --- keys -------------------------------------------------------------------------------------------

    def action_zoom(self, factor: float) -> None:
        """Show less, or more."""
        if seen := self._range or self._whole:
            middle, half = (seen[0] + seen[1]) / 2, (seen[1] - seen[0]) / 2 * factor
            self._to(middle - half, middle + half)

    def action_pan(self, share: float) -> None:
        """Go back or on."""
        if seen := self._range or self._whole:
            by = (seen[1] - seen[0]) * share
            self._to(seen[0] + by, seen[1] + by)

    def action_whole(self) -> None:
        """Show all."""
        self._range = None
        self.look()

    def action_logarithmic(self) -> None:
        """Take the other scale."""
        self._logarithmic = not self._logarithmic
        self._draw()
        self.query_one(KeyLine).show(self.keys())

    def _to(self, begin: float, end: float) -> None:
        least, most = self._whole or (begin, end)
        begin, end = max(begin, least), min(end, most)
        if end - begin >= (most - least) * 0.999:
            self._range = None
        elif end - begin > _SHORTEST:
            self._range = begin, end
        self.look()
