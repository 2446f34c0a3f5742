"""How far each category has come at last."""

from __future__ import annotations

from typing import Final

from rich.cells import cell_len
from rich.text import Text

from synapse_otel.runs import CategoryProgress, shown_workers
from synapse_otel.ui.formats import duration, fitted, number, printable, shortened
from synapse_otel.ui.glyphs import bar
from synapse_otel.ui.printed.page import Lines, Page, heading

ROWS: Final = 24
_LEAST_BAR: Final = 10
_MOST_BAR: Final = 40


def progress(page: Page) -> Lines:
    """Yield the lines of the section."""
    found = [each for one in page.recording.progress for each in (one, *shown_workers(one))]
    if not found:
        return
    rows = found[:ROWS]
    names = [_name(page, one) for one in rows]
    label = min(max(cell_len(name) for name in names), max(page.width // 4, 12))
    amounts = [f"{number(one.progress.current)}/{number(one.progress.limit)}" for one in rows]
    amount = max(len(text) for text in amounts)
    paces = ["" if page.narrow else _pace(page, one) for one in rows]
    tail = 0 if page.narrow else max(24, *map(cell_len, paces))
    room = min(max(page.width - label - amount - tail - 12, _LEAST_BAR), _MOST_BAR)
    yield heading("Progress")
    for one, name, text, pace in zip(rows, names, amounts, paces, strict=True):
        line = Text("  ")
        line.append(fitted(name, label, page.glyphs), "dim" if one.worker else "cyan" if one.category else "bold")
        line.append(f"  {int(one.progress.ratio * 100):>3}% ")
        tone = "good" if one.progress.ratio >= 1 else "live" if page.recording.state.lives else "warn"
        line.append_text(bar(one.progress.ratio, room, tone, page.glyphs))
        line.append(f" {text:>{amount}}")
        if pace:
            line.append(f"  {pace}", "dim")
        line.truncate(page.width)
        yield line
    if len(found) > len(rows):
        yield page.more(len(found) - len(rows), "categories")


def _name(page: Page, one: CategoryProgress) -> str:
    if one.worker:
        return f"  worker {printable(shortened(one.worker))}"
    name = printable(one.category) or "whole job"
    jobs = page.recording.jobs
    if len(jobs) > 1:
        job = next((job.name for job in jobs if job.span_id == one.job), "")
        return f"{printable(job)}: {name}" if job else name
    return name


def _pace(page: Page, one: CategoryProgress) -> str:
    """Return rate, and the time taken or left."""
    rate = one.progress.rate
    parts = [f"{number(round(rate, 1))}/s"] if rate is not None else []
    taken = (one.progress.time - one.progress.start_time) / 1e9
    left = one.progress.eta_seconds
    if one.progress.ratio >= 1:
        parts.append(f"took {duration(taken)}")
    elif page.recording.state.lives:
        parts += [f"{duration(left)} left"] if left is not None else []
    else:
        parts.append(f"stopped {page.offset(one.progress.time)}")
    return "  ".join(parts)
