"""Standard output as it is at the time of each write, and such that no text can fail to be written."""

from __future__ import annotations

import sys
from typing import TextIO, cast


class StandardOutput:
    """Writes to whatever ``sys.stdout`` is now; what its encoding lacks becomes a question mark."""

    def write(self, text: str) -> int:
        """Write text; return its length."""
        stream = self._stream()
        if stream is None:
            return len(text)
        try:
            stream.write(text)
        except UnicodeEncodeError:
            stream.write(text.encode(self.encoding, "replace").decode(self.encoding))
        return len(text)

    def flush(self) -> None:
        """Flush what was written."""
        stream = self._stream()
        if stream is not None:
            stream.flush()

    def isatty(self) -> bool:
        """Say whether somebody watches."""
        stream = self._stream()
        return stream is not None and stream.isatty()

    def fileno(self) -> int:
        """Return the file's number; an `OSError` if it has none."""
        stream = self._stream()
        if stream is None:
            msg = "there is no standard output"
            raise OSError(msg)
        return stream.fileno()

    @property
    def encoding(self) -> str:
        """Encoding of the stream."""
        return getattr(self._stream(), "encoding", None) or "ascii"

    @staticmethod
    def _stream() -> TextIO | None:
        """Return the stream below: while bars are shown, rich stands in for ``sys.stdout``."""
        return cast("TextIO | None", getattr(sys.stdout, "rich_proxied_file", sys.stdout))
