"""What the run used: a small curve each, with its peak and its limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rich.text import Text

from synapse_otel.recording import RunUsage, UsageChart, UsageLine
from synapse_otel.report.curves import sparkline
from synapse_otel.report.page import Lines, Page, hanging, heading
from synapse_otel.report.words import duration, number, size

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
    room = min(max(page.width - _LABEL - _TEXT - 4, _LEAST_CURVE), _MOST_CURVE)
    for chart, line in lines[:_LINES]:
        told = _told(chart, max(line.values))
        row = Text.assemble("  ", (f"{_label(chart, line):<{0 if page.narrow else _LABEL}} ", "cyan"))
        if not page.narrow:
            row.append(f"{sparkline(line.values, room, page.glyphs.spark).ljust(room)}  ", "blue")
        row.append(told)
        yield row
    if len(lines) > _LINES:
        yield page.more(len(lines) - _LINES, "curves")
    yield from hanging(Text("  "), Text(_sums(used, page), style="dim"), page)


def _label(chart: UsageChart, line: UsageLine) -> str:
    if chart.name.startswith("gpu"):
        return f"{line.label}{chart.name.removeprefix('gpu')}"
    return f"{chart.name} {line.label}".strip()


def _told(chart: UsageChart, peak: float) -> str:
    """Return the peak, and what it could have been."""
    shown = _UNITS.get(chart.unit, number)
    limit = f" of {shown(chart.limit)}" if chart.limit is not None and chart.unit != "1" else ""
    return f"peak {shown(peak)}{limit}"


def _sums(used: RunUsage, page: Page) -> str:
    parts = [f"CPU time {duration(sum(one.cpu_seconds for one in used.totals))}"]
    for word, values in {
        "read": [one.disk_read for one in used.totals],
        "written": [one.disk_written for one in used.totals],
    }.items():
        if None not in values:
            parts.append(f"{word} {size(sum(value or 0 for value in values))}")
    parts.append(f"at most {sum(one.processes_peak for one in used.totals):,} processes")
    if used.gpus_by == "all":
        parts.append("all GPUs of the machine")
    if used.oom_killed:
        parts.append("killed for want of memory")
    return page.glyphs.dot.join(parts)
