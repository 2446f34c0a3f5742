"""What the run used: a small curve each, with its peak and its limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from rich.text import Text

from synapse_otel._text import counted
from synapse_otel.runs import RunUsage
from synapse_otel.ui.formats import duration, number, size
from synapse_otel.ui.glyphs import Glyphs
from synapse_otel.ui.printed.curves import sparkline
from synapse_otel.ui.printed.page import NARROW, Lines, Page, hanging, heading

_LABEL: Final = 16
_TEXT: Final = 28
_LEAST_CURVE: Final = 8
_MOST_CURVE: Final = 48
_LINES: Final = 24
_UNITS: Final[dict[str, Callable[[float], str]]] = {
    "By": size,
    "By/s": lambda value: f"{size(round(value))}/s",
    "1": lambda value: f"{value * 100:.0f} %",
    "W": lambda value: f"{number(round(value))} W",
    "{cpu}": lambda value: number(round(value, 2)),
}


def usage(page: Page) -> Lines:
    """Yield the lines of the section."""
    used = page.recording.usage
    if not used.totals:
        return
    yield heading("Used")
    lines = [(chart, line) for chart in used.charts for line in chart.lines]
    for chart, line in lines[:_LINES]:
        curve = used_curve(chart.name, line.label, line.values, page.width - 2, page.glyphs)
        yield Text("  ").append_text(curve).append(peak(chart.unit, chart.limit, line.values))
    if len(lines) > _LINES:
        yield page.more(len(lines) - _LINES, "curves")
    yield from hanging(Text("  "), Text(_sums(used, page), style="dim"), page)


def used_curve(chart: str, label: str, values: Sequence[float], width: int, glyphs: Glyphs) -> Text:
    """Return what stands before a curve's peak: its name, and itself where there is room.

    Args:
        chart: name of what it belongs to.
        label: of the curve.
        values: of the curve.
        width: cells there are for the whole line.
        glyphs: the characters.
    """
    name = f"{label}{chart.removeprefix('gpu')}" if chart.startswith("gpu") else f"{chart} {label}".strip()
    if width < NARROW - 2:
        return Text(f"{name} ", "cyan")
    room = min(max(width - _LABEL - _TEXT, _LEAST_CURVE), _MOST_CURVE)
    drawn = sparkline(values, room, glyphs.spark)
    return Text.assemble((f"{name:<{_LABEL}} ", "cyan"), (f"{drawn.ljust(room)}  ", "blue"))


def peak(unit: str, limit: float | None, values: Sequence[float]) -> str:
    """Return the highest value, and what it could have been."""
    shown = _UNITS.get(unit, number)
    most = f" of {shown(limit)}" if limit is not None and unit != "1" else ""
    return f"peak {shown(max(values))}{most}"


def _sums(used: RunUsage, page: Page) -> str:
    parts = [f"CPU time {duration(sum(one.cpu_seconds for one in used.totals))}"]
    for word, values in {
        "read": [one.disk_read for one in used.totals],
        "written": [one.disk_written for one in used.totals],
    }.items():
        if None not in values:
            parts.append(f"{word} {size(sum(value or 0 for value in values))}")
    most = sum(one.processes_peak for one in used.totals)
    parts.append(f"at most {counted(most, 'process', 'processes')}")
    if used.gpus_by == "all":
        parts.append("all GPUs of the machine")
    if used.oom_killed:
        parts.append("killed: out of memory")
    return page.glyphs.dot.join(parts)
