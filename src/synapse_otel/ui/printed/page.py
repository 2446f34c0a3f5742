"""What the sections of a report share: the room there is, the characters, and how rows are bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from rich.cells import cell_len
from rich.text import Text

from synapse_otel.runs import Recording, Span
from synapse_otel.ui.formats import offset
from synapse_otel.ui.glyphs import Glyphs

NARROW: Final = 64
"""Below this width, columns are left out."""

Lines = Iterator[Text]
NO_CONSOLE: Final[Any] = None
"""What `Text.wrap` is given: it asks a console only for defaults that it is told here."""


@dataclass(frozen=True, slots=True)
class Page:
    """The recording, and the room to show it in."""

    recording: Recording
    width: int
    glyphs: Glyphs

    @property
    def narrow(self) -> bool:
        """Whether there is no room for every column."""
        return self.width < NARROW

    @property
    def begin(self) -> int:
        """Unix time in ns from which times are counted: the job's begin, else that of the first thing known."""
        recording = self.recording
        first = [span.start for span in recording.spans] or [entry.time for entry in recording.logs[:1]]
        return min(first, default=recording.last_time)

    @property
    def end(self) -> int:
        """Unix time in ns at which the last span ends."""
        return max([self.recording.end_of(span) for span in self.recording.spans], default=self.recording.last_time)

    def offset(self, time: int) -> str:
        """Return a time since the beginning."""
        return offset((time - self.begin) / 1e9)

    def killed(self, span: Span) -> bool:
        """Return whether a span was left open by a process that is gone."""
        return span.is_open and not self.recording.state.lives

    def more(self, count: int, what: str, indent: str = "  ") -> Text:
        """Return the line that stands for rows that are left out."""
        return Text(f"{indent}{self.glyphs.ellipsis} and {count:,} more {what}", style="dim italic")


def heading(title: str) -> Text:
    """Return the title of a section."""
    return Text.assemble((title, "bold"))


def hanging(head: Text, body: Text, page: Page, *, most: int = 0) -> Lines:
    """Yield a body behind a head, its further lines below its first one.

    Args:
        head: what stands before the first line.
        body: the text.
        page: the room.
        most: lines at most; the last ends with an ellipsis then. 0: all.
    """
    indent = cell_len(head.plain)
    room = max(page.width - indent, _LEAST_ROOM)
    wrapped = body.wrap(NO_CONSOLE, room) if cell_len(body.plain) > room else [body]
    for number, part in enumerate(wrapped[: most or None]):
        part.rstrip()
        if most and number == most - 1 and len(wrapped) > most:
            part.truncate(room - 1)
            part.append(page.glyphs.ellipsis)
        line = head.copy() if not number else Text(" " * indent)
        line.append_text(part)
        yield line


_LEAST_ROOM: Final = 12
