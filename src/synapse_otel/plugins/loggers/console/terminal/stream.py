"""Standard output as it is at the time of each write, and such that no text can fail to be written."""

from __future__ import annotations

import logging
import sys
from io import FileIO, TextIOWrapper
from typing import TextIO, TypeGuard

from synapse_otel._guard import let_through
from synapse_otel.notices import warn
from synapse_otel.plugins.loggers.console.terminal.nonblocking import NonBlockingOutput

_log = logging.getLogger(__name__)


class StandardOutput:
    """Writes to whatever ``sys.stdout`` is now; what its encoding lacks becomes a question mark."""

    def __init__(self) -> None:
        self._stream: TextIO | None = None
        self._outlet: NonBlockingOutput | None = None

    def write(self, text: str) -> None:
        """Write text, after what has been written to the stream before.

        Raises:
            OSError, ValueError: it cannot be written. A pipe that nobody reads any more is no error.
        """
        stream: TextIO | None = sys.stdout
        if stream is None:
            return
        if stream is not self._stream:
            self._stream = stream
            self._outlet = NonBlockingOutput(stream.fileno()) if is_plain(stream) else None
        if self._outlet is None:
            _write(stream, text)
        else:
            flush(stream)
            self._outlet.line(encoded(text, stream))

    def close(self) -> None:
        """Write what a slow reader has not taken yet; say so if it does not take it now."""
        missed = self._outlet.close() if self._outlet is not None else 0
        if missed:
            warn(_log, "%d lines are not shown: nobody reads standard output (the recorded data is complete)", missed)


def is_plain(stream: object) -> TypeGuard[TextIOWrapper]:
    """Return whether what is written to a stream goes to its file and nowhere else, so that one may write there."""
    if type(stream) is not TextIOWrapper or stream.closed or "write" in vars(stream):
        return False
    return isinstance(getattr(stream.buffer, "raw", stream.buffer), FileIO)


def flush(stream: TextIO | None) -> None:
    """Have written what a plugin has printed."""
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError, AttributeError) as error:
        let_through(
            error
        )  # what cannot be written is the plugin's, and so is the error: it gets it from its own next call


def encoding_of(stream: object) -> str:
    """Return the encoding of a stream."""
    return getattr(stream, "encoding", None) or "ascii"


def encoded(text: str, stream: object) -> bytes:
    """Return text as the bytes of a stream."""
    return text.encode(encoding_of(stream), "replace")


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:
        stream.write(encoded(text, stream).decode(encoding_of(stream)))
    if hasattr(stream, "flush"):
        stream.flush()
