"""A recorder that keeps the frames of spans: also for the tests of the SDK, where this folder is no package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synapse_otel.journal.frames import DECODERS, Kind, Span
from synapse_otel.redaction import KeyRedaction


class Frames:
    """Stands in for a `Recorder`: keeps what is written, in its order."""

    def __init__(self) -> None:
        self.redact = KeyRedaction()
        self.collect = None
        self.written: list[tuple[str, bytes]] = []
        self._scopes: dict[Any, int] = {}

    def scope(self, name: str, version: Any, schema_url: Any, attributes: Mapping[str, Any] | None) -> int:
        key = name, version or "", schema_url or "", tuple(sorted((attributes or {}).items()))
        return self._scopes.setdefault(key, len(self._scopes))

    def open_span(self, _span_id: bytes, payload: bytes) -> None:
        self.written.append(("open", payload))

    def end_span(self, _span_id: bytes, payload: bytes) -> None:
        self.written.append(("ended", payload))

    def sync(self) -> None:
        """Do nothing: all is in memory."""

    def spans(self) -> list[Span]:
        """Return the spans that have ended."""
        return [DECODERS[Kind.SPAN].decode(payload) for what, payload in self.written if what == "ended"]
