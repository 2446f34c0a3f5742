"""What a run's first tab says: what went wrong, how far it has come, and its steps as a waterfall."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rich.cells import cell_len
from rich.text import Text

from synapse_otel import semconv
from synapse_otel.runs.live.entry import Json
from synapse_otel.semconv.severity import Severity
from synapse_otel.ui.formats import clock, duration, fitted, number, offset, printable, shortened
from synapse_otel.ui.glyphs import STYLES, Glyphs, bar, stretch
from synapse_otel.ui.terminal.words import REMOVED, ago, folded, pace, percent, printable_line, summary

_NARROW: Final = 80
_SPANS: Final = 500
_FAILED: Final = frozenset({semconv.RESULT_FAILURE, semconv.RESULT_ERROR, semconv.RESULT_TIMEOUT})
_FRAME: Final = re.compile(r'\s*File "([^"]*)", line \d+')
_LIBRARY: Final = re.compile(r"site-packages|dist-packages|[/\\]synapse_otel[/\\]|[/\\]lib[/\\]python3")
_ENDS: Final = 12
"""Lines of stderr at the end of a killed process that are shown."""


def overview(told: Json, now: float, width: int, glyphs: Glyphs, *, whole_stack: bool = False) -> list[Text]:
    """Return the lines of the tab.

    Args:
        told: what `details` tells of the run.
        now: Unix time in ms.
        width: cells.
        glyphs: what to draw with.
        whole_stack: show the frames of libraries too.
    """
    lines: list[Text] = [Text(printable(f"! {note}"), "yellow") for note in told["notes"]]
    lines += [*_failure(told, whole_stack=whole_stack), *_progress(told, now, width, glyphs)]
    lines += _steps(told, now, width, glyphs)
    return [line for one in lines for line in folded(one, width)]


def heading(text: str) -> Text:
    """Return the head of a section."""
    return Text(text, "bold underline")


# --- what went wrong ------------------------------------------------------------------------------------


def _failure(told: Json, *, whole_stack: bool) -> Iterator[Text]:
    row, exceptions, ended = told["row"] or {}, told["exceptions"], told["exit"]
    crashed = row.get("state") == "crashed"
    if not crashed and not exceptions and row.get("result") not in _FAILED:
        return
    yield heading("What went wrong")
    if crashed:
        yield from _killed(told)
    elif not exceptions:
        failed = [span for span in told["spans"] if span["failed"] and span["error"]]
        step = next((span for span in failed if span["role"] == "step"), failed[0] if failed else None)
        yield Text(printable(f"{step['name']} failed" if step else "The job failed"), "bold red")
        yield Text(printable((step["error"] if step else row.get("error")) or "It reported no reason."))
    for one in exceptions[:1]:
        yield from _exception(one, told, whole=whole_stack)
    if len(exceptions) > 1:
        yield Text(f"{len(exceptions) - 1} more exceptions are among the messages", "dim")
    if ended and ended["stderr"] and crashed:
        yield Text("Last lines of stderr", "dim")
        yield from (Text(f"  {printable(line)}") for line in ended["stderr"][-_ENDS:])
    yield Text()


def _killed(told: Json) -> Iterator[Text]:
    ended = told["exit"] or {}
    how = ""
    if (told["row"] or {}).get("error") == semconv.ERROR_TYPE_OOM:
        how = ": out of memory"
    elif ended.get("signal"):
        how = f" by {ended['signal']}"
    elif ended.get("code") is not None:
        how = f": exit status {ended['code']}"
    yield Text(f"The process was killed{how}", "bold red")
    begun = [span for span in told["spans"] if span["end"] is None and span["role"] != "other"]
    where = f", in {printable(begun[-1]['name'])}" if begun else ""
    last = f"{_offset(told['last'], told)} ({clock(int(told['last'] * 1e6))})"
    yield Text(f"Last sign of life {last}{where}. Its records up to then are complete.")
    if told["last_words"]:
        yield Text("Last messages", "dim")
    for one in told["last_words"]:
        style = (
            STYLES["bad" if one["severity"] >= Severity.ERROR else "warn"] if one["severity"] >= Severity.WARN else ""
        )
        yield Text(f"  {_offset(one['time'], told)}  {summary(one)}", style)


def _exception(one: Json, told: Json, *, whole: bool) -> Iterator[Text]:
    yield Text.assemble((printable(one["type"]), "bold red"), ": ", printable(one["message"]))
    place = next((span["name"] for span in told["spans"] if span["id"] == one["span"]), one["category"])
    yield Text(_offset(one["time"], told) + (f" in {printable(place)}" if place else ""), "dim")
    lines, hidden = stack(one["stack"], whole=whole)
    yield from (Text(f"  {printable_line(line)}") for line in lines)
    if hidden:
        frames = "1 frame of a library is" if hidden == 1 else f"{hidden} frames of libraries are"
        yield Text(f"  {frames} hidden: x shows all", "dim")


def stack(text: str, *, whole: bool) -> tuple[list[str], int]:
    """Return the lines of a stack, and how many frames of libraries are left out: the way to the plugin's own."""
    groups: list[tuple[bool | None, list[str]]] = []
    for line in text.rstrip().splitlines():
        frame = _FRAME.match(line)
        if frame:
            groups.append((bool(_LIBRARY.search(frame[1])), [line]))
        elif line[:1].isspace() and groups and groups[-1][0] is not None:
            groups[-1][1].append(line)
        else:
            groups.append((None, [line]))
    has_own = any(is_library is False for is_library, _lines in groups)
    kept = [lines for is_library, lines in groups if whole or not has_own or not is_library]
    return [line for lines in kept for line in lines], len(groups) - len(kept)


def _offset(when: float, told: Json) -> str:
    return offset((when - (told["begin"] or 0)) / 1000)


# --- progress -------------------------------------------------------------------------------------------


def _progress(told: Json, now: float, width: int, glyphs: Glyphs) -> Iterator[Text]:
    found = told["progress"]
    if not found:
        return
    yield heading("Progress")
    narrow = width < _NARROW
    names = [_name(one) for one in found]
    label = min(max(map(cell_len, names)), max(width // 4, 10))
    amounts = [f"{number(one['current'] or 0)}/{number(one['limit'] or 0)}" for one in found]
    amount = max(map(len, amounts))
    room = width - label - amount - (26 if narrow else 38)
    state = told["row"]["state"] if told["row"] else ""
    for one, name, text in zip(found, names, amounts, strict=True):
        tone = "good" if (one["ratio"] or 0) >= 1 else {"live": "live", "stalled": "warn"}.get(state, "bad")
        line = Text().append(fitted(name, label, glyphs), "" if one["category"] else "bold")
        line.append(f" {percent(one['ratio']):>5} ")
        if room > 3:  # noqa: PLR2004 - a shorter bar says nothing
            line.append_text(bar(one["ratio"], min(room, 30), tone, glyphs)).append(" ")
        line.append(f"{text:>{amount}}  {pace(one, now, running=state == 'live')}", "dim")
        if not narrow and tone != "good":
            line.append(f"  {'moved' if told['lives'] else 'stopped'} {ago(one['time'], now)}", "dim")
        line.truncate(width)
        yield line
    yield Text()


def _name(one: Json) -> str:
    if one["worker"]:
        return f"  worker {printable(shortened(one['worker']))}"
    return printable(one["category"]) or "whole job"


# --- steps ----------------------------------------------------------------------------------------------


def _steps(told: Json, now: float, width: int, glyphs: Glyphs) -> Iterator[Text]:
    spans = told["spans"]
    yield heading("Steps")
    if not spans:
        yield Text(REMOVED if told["removed"] else "No step has begun yet.", "dim")
        return
    names = {span["id"]: span["name"] for span in spans}
    begin = min(span["start"] for span in spans)
    whole = max(max(_end(span, told, now) for span in spans) - begin, 1e-6)
    rows = spans[:_SPANS]
    wanted = max(min(span["depth"], 8) * 2 + cell_len(printable(span["name"])) + 3 for span in rows)
    label = min(wanted, max(width // 2 - 6, 16))
    track = max(width - label - 11, 8)
    for span in rows:
        look = _look(span, told)
        line = Text("  " * min(span["depth"], 8))
        line.append(f"{_sign(look, glyphs)} ", STYLES.get(look, "magenta"))
        style = "bold" if span["role"] == "job" else "dim" if span["skipped"] else ""
        line.append(fitted(printable(span["name"]), max(label - line.cell_len - 1, 1), glyphs), style)
        took = (_end(span, told, now) - span["start"]) / 1000
        line.append(f" {'skipped' if span['skipped'] else duration(took):>9} ", "dim" if span["skipped"] else "")
        line.append_text(_drawn(span, look, (begin, whole, _end(span, told, now)), track, glyphs))
        yield line
        if note := _note(span, look, names):
            style = "dim" if look == "rollback" else "red"
            yield Text("  " * min(span["depth"], 8) + "  ").append(printable(note), style)
    left = len(spans) - len(rows) + told["spans_left_out"]
    if left:
        yield Text(f"{left:,} more spans are not shown here", "dim")


def _look(span: Json, told: Json) -> str:
    if span["skipped"]:
        return "muted"
    if span["failed"] or (span["end"] is None and not told["lives"]):
        return "bad"
    if span["end"] is None:
        return "live"
    return "rollback" if span["role"] == "rollback" else "other" if span["role"] == "other" else "good"


def _sign(look: str, glyphs: Glyphs) -> str:
    signs = {"bad": glyphs.failure, "live": glyphs.running, "good": glyphs.success, "muted": glyphs.skipped}
    return signs.get(look, glyphs.rollback if look == "rollback" else glyphs.plain)


def _end(span: Json, told: Json, now: float) -> float:
    end: float | None = span["end"]
    return end if end is not None else max(span["start"], now if told["lives"] else told["last"])


def _drawn(span: Json, look: str, times: tuple[float, float, float], width: int, glyphs: Glyphs) -> Text:
    begin, whole, last = times
    start, end = stretch((span["start"] - begin) / whole, (last - begin) / whole, width)
    if span["skipped"]:
        return Text(" " * start + glyphs.skipped, "dim")
    body = {"bad": glyphs.failed_bar, "rollback": glyphs.rollback_bar}.get(look, glyphs.bar)
    line = body * (end - start)
    if span["end"] is None:
        line = line[:-1] + (glyphs.running_end if look == "live" else glyphs.killed_end)
    return Text(" " * start + line, STYLES.get(look, "magenta" if look == "rollback" else "blue"))


def _note(span: Json, look: str, names: dict[str, str]) -> str:
    if span["role"] == "job":
        return ""
    if look == "bad" and span["end"] is None:
        return "its process was killed"
    causes = [names[link] for link in span["links"] if link in names]
    if span["error"]:
        return str(span["error"])
    return f"because of {', '.join(causes)}" if causes else ""
