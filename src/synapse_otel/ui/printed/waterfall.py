"""The spans as a tree, each with a bar where it lies on the time line of the whole."""

from __future__ import annotations

from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from synapse_otel import semconv
from synapse_otel.runs import Role, Span
from synapse_otel.ui.formats import duration, fitted, printable
from synapse_otel.ui.glyphs import stretch
from synapse_otel.ui.printed.page import Lines, Page, heading

ROWS: Final = 60
"""Spans shown at most."""
_LEAST_BAR: Final = 12
_DURATION: Final = 9
_TICKS_FROM: Final = 36


class _Row(NamedTuple):
    span: Span
    guide: str
    below: str
    """Guide of a line that belongs to the row."""


def waterfall(page: Page) -> Lines:
    """Yield the lines of the section."""
    rows = list(_rows(page))
    if not rows:
        return
    shown = _chosen(rows)
    label = min(max(cell_len(row.guide) + cell_len(row.span.name) + 2 for row in shown), _label_room(page.width))
    bar = max(page.width - label - _DURATION - 5, _LEAST_BAR)
    yield _axis(page, label, bar)
    for row in shown:
        yield _line(page, row, label, bar)
        yield from _error(page, row)
    if len(rows) > len(shown):
        failed = sum(row.span.failed for row in rows) - sum(row.span.failed for row in shown)
        yield page.more(len(rows) - len(shown), f"spans ({failed:,} failed)" if failed else "spans")


def _label_room(width: int) -> int:
    return max(width - _DURATION - 5 - max(_LEAST_BAR, width // 3), 12)


def _rows(page: Page) -> list[_Row]:
    found: list[_Row] = []
    glyphs = page.glyphs
    todo = [(root, "", "") for root in reversed(page.recording.spans)]
    while todo:
        span, before, branch = todo.pop()
        under = before + (glyphs.pipe if branch == glyphs.branch else glyphs.gap if branch else "")
        inner = under + (glyphs.pipe if span.children else glyphs.gap)
        found.append(_Row(span, before + branch, inner))
        last = len(span.children) - 1
        todo += [
            (child, under, glyphs.last_branch if at == last else glyphs.branch)
            for at, child in reversed(list(enumerate(span.children)))
        ]
    return found


def _chosen(rows: list[_Row]) -> list[_Row]:
    """Return the rows to show, in order: before others the job's own steps, and what failed or is open."""
    if len(rows) <= ROWS:
        return rows
    by_rank = sorted(range(len(rows)), key=lambda at: (rows[at].span.rank, at))
    return [rows[at] for at in sorted(by_rank[:ROWS])]


def _axis(page: Page, label: int, bar: int) -> Text:
    line = heading("Spans")
    line.pad_right(max(label + _DURATION + 5 - len(line), 0))
    whole = (page.end - page.begin) / 1e9
    left, right = "0", duration(whole)
    middle = duration(whole / 2) if bar >= _TICKS_FROM else ""
    room = bar - len(left) - len(right) - len(middle)
    line.append(left + " " * (room // 2) + middle + " " * (room - room // 2) + right, "dim")
    return line


def _line(page: Page, row: _Row, label: int, bar: int) -> Text:
    span = row.span
    mark, style = _mark(page, span)
    took = (page.recording.end_of(span) - span.start) / 1e9
    line = Text("  ")
    line.append(row.guide, "dim")
    line.append(f"{mark} ", style)
    name_style = "bold" if span.role is Role.JOB else "dim" if span.skipped else ""
    line.append(fitted(printable(span.name), max(label - cell_len(row.guide) - 2, 1), page.glyphs), name_style)
    line.append(f" {'' if span.skipped else duration(took):>{_DURATION}}  ", "dim" if span.skipped else "")
    line.append_text(_bar(page, span, bar, style))
    return line


def _bar(page: Page, span: Span, width: int, style: str) -> Text:
    glyphs = page.glyphs
    whole = max(page.end - page.begin, 1)
    # A child may have begun before its parent: the clock was set back in between.
    last = page.recording.end_of(span)
    start, end = stretch((span.start - page.begin) / whole, (last - page.begin) / whole, width)
    if span.skipped:
        drawn = "skipped" if start + 7 <= width else glyphs.skipped
        return Text(" " * start + drawn, style)
    body = glyphs.bar
    if span.role is Role.ROLLBACK:
        body = glyphs.rollback_bar
    elif span.failed or page.killed(span):
        body = glyphs.failed_bar
    bar = body * (end - start)
    if span.is_open:
        bar = bar[:-1] + (glyphs.killed_end if page.killed(span) else glyphs.running_end)
    return Text(" " * start + bar, style)


def _mark(page: Page, span: Span) -> tuple[str, str]:
    glyphs = page.glyphs
    if span.skipped:
        return glyphs.skipped, "dim"
    if page.killed(span) or span.failed:
        return glyphs.failure, "red"
    if span.is_open:
        return glyphs.running, "cyan"
    if span.role is Role.ROLLBACK:
        return glyphs.rollback, "magenta"
    if span.role is Role.OTHER:
        return glyphs.plain, "blue"
    return glyphs.success, "green"


def _error(page: Page, row: _Row) -> Lines:
    span = row.span
    text = ""
    if page.killed(span) and not any(page.killed(child) for child in span.children):
        text = f"its process was killed; last sign of life {page.offset(page.recording.last_time)}"
    elif span.failed and not any(child.failed for child in span.children):
        text = span.error
        if text == semconv.ERROR_TYPE_KILLED:
            text = "its process was killed"
    if text:
        line = Text("  ")
        line.append(row.below, "dim")
        line.append(fitted(printable(text), page.width - len(line), page.glyphs).rstrip(), "red")
        yield line
