"""Records as lines that a person reads: pieces of text, each with a style."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from reprlib import Repr
from typing import Any, Final

from synapse_otel._guard import let_through
from synapse_otel.plugins.loggers.console.amounts import duration
from synapse_otel.plugins.loggers.console.escaping import escaped, lines_of
from synapse_otel.plugins.models.logger import LogLevel

Line = list[tuple[str, str]]
"""Pieces of text with the name of the style that a terminal shows them in; empty for none."""

STYLES: Final[dict[LogLevel, str]] = {
    LogLevel.DEBUG: "dim",
    LogLevel.INFO: "blue",
    LogLevel.SUCCESS: "green",
    LogLevel.WARNING: "yellow",
    LogLevel.DANGER: "red",
    LogLevel.ERROR: "red",
    LogLevel.CRITICAL: "bold red",
}
_CATEGORY_STYLE: Final = "cyan"
_STEP_WORDS: Final = {
    "": ("begins", "dim"),
    "success": ("done", "green"),
    "skip": ("skipped", "dim"),
    "failure": ("failed", "red"),
    "cancellation": ("cancelled", "red"),
}
"""What is said of a step by its result, and in which style."""
_KIND_WIDTH: Final = 8
_BODY_LIMIT: Final = 500
_CONTINUED: Final = "\n" + " " * len("23:59:59 progress ")
"""Between the lines of a text: what follows is indented, so that it cannot be taken for a record of its own."""

_repr = Repr()
_repr.maxstring = _repr.maxother = 120
_repr.maxdict = _repr.maxlist = _repr.maxtuple = _repr.maxset = 8
_repr.maxlevel = 4


def event_line(event: str, data: Mapping[str, Any], file: str | None, category: str | None, level: LogLevel) -> Line:
    """Return the line of an event; of a message, its text."""
    style = STYLES[level]
    if event in {"message", "debug"} and "content" in data:
        return _line(level.value, style, category, str(data["content"]))
    if event == "dev_event" and "message" in data:
        detail = data.get("data")
        shown = compact(detail) if isinstance(detail, Mapping) else "" if detail is None else _plain(detail)
        return _line("dev", style, category, f"{data['message']} {shown}".rstrip())
    if event == "metric" and "key" in data:
        more = data.get("metrics")
        return metrics_line(category, {data["key"]: data.get("value"), **(more if isinstance(more, Mapping) else {})})
    body = " ".join(part for part in (event, compact(data), f"file={file}" if file is not None else "") if part)
    return _line(level.value, style, category, body)


def metrics_line(category: str | None, values: Mapping[str, Any]) -> Line:
    """Return the line of a category's values."""
    return _line("metrics", "magenta", category, compact(values))


def progress_line(category: str | None, parts: list[str], *, failed: bool = False) -> Line:
    """Return the line of a category's progress, made of the texts of `progress_parts`."""
    shown = [part for part in parts if part]
    if failed:
        shown.append("failed")
    return _line("progress", "red" if failed else "green", category or "total", "  ".join(shown))


def step_line(
    step: str, result: str, error: str | None, *, depth: int, seconds: float | None, is_rollback: bool
) -> Line:
    """Return the line of a step that begins, or of how it or its rollback ended.

    Args:
        step: its name.
        result: as in `synapse.step.result`; empty: it begins.
        error: what it says of it.
        depth: how many steps it is inside of.
        seconds: time that it took, if known.
        is_rollback: it is its rollback that ended.
    """
    words, style = ("rolled back", "yellow") if is_rollback else _STEP_WORDS.get(result, (result, "red"))
    if is_rollback and result != "success":
        words, style = "rollback failed", "red"
    took = "" if seconds is None or words == "skipped" else f" after {duration(seconds)}"
    said = f": {error}" if error and style == "red" else ""
    *start, _ = _line("step", _CATEGORY_STYLE, None, "")
    return [*start, (f"{'  ' * depth}{escaped(step)}  ", _CATEGORY_STYLE), (_joined(f"{words}{took}{said}"), style)]


def compact(values: Mapping[str, Any], prefix: str = "") -> str:
    """Return ``key=value`` pairs on one line, nested mappings with dots, cut where nobody reads on."""
    pairs = []
    length = 0
    for key, value in values.items():
        nested = isinstance(value, Mapping) and bool(value) and prefix.count(".") < _repr.maxlevel
        name = prefix + (key if isinstance(key, str) else _repr_of(key))
        pair = compact(value, f"{name}.") if nested else f"{name}={_plain(value)}"
        pairs.append(pair)
        length += len(pair)
        if length > _BODY_LIMIT:
            return " ".join(pairs)[:_BODY_LIMIT] + "..."
    return " ".join(pairs)


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return " ".join(value[:_BODY_LIMIT].split())
    if isinstance(value, float) or (hasattr(value, "__float__") and hasattr(value, "dtype")):
        try:
            return f"{float(value):.4g}"
        except (TypeError, ValueError, RuntimeError, OverflowError) as error:
            let_through(error)
            return _repr_of(value)  # an array of many values is no number
    return _repr_of(value)


def _repr_of(value: Any) -> str:
    try:
        return " ".join(_repr.repr(value).split())
    except ValueError as error:  # an integer of thousands of digits, which Python does not write in decimal
        let_through(error)
        return f"<{type(value).__name__}>"


def _joined(body: str) -> str:
    return _CONTINUED.join(lines_of(body))


def _line(kind: str, style: str, category: str | None, body: str) -> Line:
    line: Line = [(f"{time.strftime('%H:%M:%S')} ", "dim"), (f"{kind:<{_KIND_WIDTH}} ", style)]
    if category is not None:
        line.append((f"{escaped(category)}  ", _CATEGORY_STYLE))
    line.append((_joined(body), "" if kind in {"info", "metrics", "progress"} else style))
    return line


_CODES: Final = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}


def painted(line: Line, *, colours: bool) -> str:
    """Return the text of a line; ``colours``: with the codes that a terminal shows its styles by."""
    if not colours:
        return "".join(piece for piece, _style in line)
    return "".join(f"\x1b[{_code(style)}m{piece}\x1b[0m" if style and piece else piece for piece, style in line)


def wants_colours(*, terminal: bool) -> bool:
    """Return whether to use colours: ``NO_COLOR`` and ``FORCE_COLOR`` decide, else whether a terminal shows them."""
    if os.environ.get("NO_COLOR"):
        return False
    forced = os.environ.get("FORCE_COLOR")
    return forced not in {"0", "false"} if forced else terminal


def _code(style: str) -> str:
    return ";".join(_CODES[word] for word in style.split())
