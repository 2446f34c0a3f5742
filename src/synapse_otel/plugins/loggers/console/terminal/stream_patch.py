"""A plugin's own writes to the terminal, led around the bars that stand on it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from synapse_otel._fork import Part, at_fork

if TYPE_CHECKING:
    from io import TextIOWrapper

    from synapse_otel.plugins.loggers.console.terminal.live_region import LiveRegion

_LEAVING: Final = frozenset(
    {"builtins.input", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"}
)
"""Audit events before which the bars make room: what is shown then does not come through ``sys.stdout``."""
_HELD_CHARACTERS: Final = 8192

_areas: WeakSet[LiveRegion] = WeakSet()
_state = {"listens": False}


class PatchedStream:
    """Stands in a stream's own ``write`` and ``flush``, and has an area write what is written.

    So those who hold the stream (a handler of `logging`, a bar of tqdm) are led around as well. What is no whole line
    waits for its end or for a flush, as it does in the stream itself, but apart for each thread: lines stay whole.

    Args:
        stream: the stream.
        area: the bars.
    """

    def __init__(self, stream: TextIOWrapper, area: LiveRegion) -> None:
        self.stream = stream
        self._area = area
        self._write, self._flush = stream.write, stream.flush
        self._held: dict[int, str] = {}
        vars(stream).update(write=self.write, flush=self.flush)

    def write(self, text: str) -> int:
        """Write text; raises what the stream raises."""
        if not isinstance(text, str):
            return self._write(text)
        held = self._held.pop(get_ident(), "") + text
        if "\n" in text or "\r" in text or len(held) > _HELD_CHARACTERS or not self.stream.line_buffering:
            self._area.around(self._write, held)
        else:
            if not text.isascii():
                text.encode(self.stream.encoding, self.stream.errors or "strict")  # fails now, not at the line's end
            self._held[get_ident()] = held
        return len(text)

    def flush(self) -> None:
        """Write what this thread has written in part, and flush the stream."""
        self._write_held(get_ident())
        self._flush()

    def write_past(self, codes: str) -> None:
        """Write codes to the stream itself."""
        self._write(codes)
        self._flush()

    def remove(self) -> None:
        """Leave the stream as it was."""
        for thread in list(self._held):
            self._write_held(thread)
        if vars(self.stream).get("write") == self.write:
            del vars(self.stream)["write"], vars(self.stream)["flush"]

    def _write_held(self, thread: int) -> None:
        held = self._held.pop(thread, "")
        if held:
            self._area.around(self._write, held)


class StreamPatch:
    """Leads the standard streams around an area.

    Args:
        area: the bars.
    """

    def __init__(self, area: LiveRegion) -> None:
        self._area = area
        self._led: dict[int, PatchedStream] = {}

    def add(self, shows: Callable[[object], bool]) -> None:
        """Lead around those of the standard streams that are shown where the bars are."""
        for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            if id(stream) not in self._led and shows(stream):
                found = leads(stream)
                if found is not None:
                    found.remove()  # it led around bars of this process' parent
                self._led[id(stream)] = PatchedStream(stream, self._area)  # type: ignore[arg-type] # what shows is one
        _listen(self._area)

    def write_where_not(self, shows: Callable[[object], bool], codes: str) -> None:
        """Write codes to those of the streams that are not shown there."""
        for led in self._led.values():
            if not shows(led.stream):
                led.write_past(codes)

    def remove(self) -> None:
        """Leave the streams as they were."""
        _areas.discard(self._area)
        for led in self._led.values():
            led.remove()
        self._led.clear()


def leads(stream: Any) -> PatchedStream | None:
    """Return what leads a stream around bars, if anything does."""
    found = getattr(getattr(stream, "write", None), "__self__", None)
    return found if isinstance(found, PatchedStream) else None


def _listen(area: LiveRegion) -> None:
    _areas.add(area)
    if not _state["listens"]:
        _state["listens"] = True
        sys.addaudithook(_make_room)  # it cannot be removed again, so there is one


def _make_room(event: str, _arguments: tuple[Any, ...]) -> None:
    if event in _LEAVING:
        for area in list(_areas):
            area.make_room()


def _inherit() -> None:
    for area in list(_areas):
        area.inherit()
    _areas.clear()


at_fork(Part.STREAMS, _inherit)
