"""The exceptions that left a job or step, with the last frames of the first one's stack."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

from rich.cells import cell_len
from rich.text import Text

from synapse_otel import semconv
from synapse_otel.runs import LogEntry
from synapse_otel.ui.formats import printable
from synapse_otel.ui.printed.page import Lines, Page, hanging, heading

ROWS: Final = 5
FRAMES: Final = 4
_PACKAGE: Final = "synapse_otel"
"""Whose frames are left out: they are the way to the plugin's code, and never the cause."""
_FRAME: Final = re.compile(
    r'^  File "(?P<file>[^"]*)", line (?P<line>\d+), in (?P<name>.*)\n(?:    (?P<code>\S.*))?', re.MULTILINE
)


def failures(page: Page) -> Lines:
    """Yield the lines of the section."""
    found = page.recording.exceptions
    if not found:
        return
    yield heading("Exceptions" if len(found) > 1 else "Exception")
    for number, entry in enumerate(found[:ROWS]):
        yield from _title(page, entry)
        if not number:
            yield from _stack(page, str(entry.attributes.get(semconv.EXCEPTION_STACKTRACE, "")))
    if len(found) > ROWS:
        yield page.more(len(found) - ROWS, "exceptions")


def _title(page: Page, entry: LogEntry) -> Lines:
    line = Text()
    line.append(printable(str(entry.attributes.get(semconv.EXCEPTION_TYPE, ""))), "bold red")
    line.append(f": {printable(str(entry.attributes.get(semconv.EXCEPTION_MESSAGE, '')))}", "red")
    if entry.category:
        line.append(f"  in {printable(entry.category)}", "dim")
    head = Text.assemble((f"  {page.offset(entry.time):>9}  ", "dim"))
    yield from hanging(head, line, page, most=_LINES)


_LINES: Final = 4


def _stack(page: Page, stack: str) -> Lines:
    frames = list(_FRAME.finditer(stack))
    own = [frame for frame in frames if _PACKAGE not in PurePath(frame["file"]).parts]
    for frame in (own or frames)[-FRAMES:]:
        place = f"{PurePath(frame['file']).name}:{frame['line']}"
        line = Text(" " * 13)
        line.append(f"{printable(place)} ", "cyan")
        line.append(f"in {printable(frame['name'])}", "dim")
        if frame["code"] and not page.narrow:
            line.append(f"   {printable(frame['code'])}")
        if cell_len(line.plain) > page.width:
            line.truncate(page.width - 1)
            line.append(page.glyphs.ellipsis)
        yield line
