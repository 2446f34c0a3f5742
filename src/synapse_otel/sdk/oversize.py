"""Records that are too large for the journal or a backend, cut down: of what other loggers give, nothing is bounded."""

from __future__ import annotations

from typing import Any, Final

from synapse_otel._text import TEXT_LIMIT
from synapse_otel._text import cut as cut_text
from synapse_otel.journal import frames

RECORD_LIMIT: Final = 1 << 20
"""Bytes of an encoded record; of a larger one every text and collection is cut, with a mark that says so."""
LARGEST_SPAN: Final = (4 << 20) - (1 << 18)
"""Bytes of an encoded span with all its events: a request that holds it alone stays below 4 MiB, more than which the
Collectors' queues, and many gRPC servers, do not take."""
ITEM_LIMIT: Final = 256
_DEEPEST: Final = 4


def encode_cut(fields: list[Any]) -> bytes:
    """Encode a record within the limit: its texts cut, or, if that does not do, none of its attributes."""
    payload = frames.encode_clean([cut(field) for field in fields])
    if len(payload) <= RECORD_LIMIT:
        return payload
    short = [{"...": "[cut: all attributes]"} if isinstance(field, dict) else cut(field, 0) for field in fields]
    return frames.encode_clean(short)


def cut(value: Any, depth: int = _DEEPEST) -> Any:
    """Return a value with its texts and collections cut, and a mark where they were."""
    if isinstance(value, str):
        return cut_text(value)
    if isinstance(value, bytes):
        return value[:TEXT_LIMIT]
    if isinstance(value, dict | list | tuple):
        if not depth:
            return f"[cut: {len(value)} items]"
        if isinstance(value, dict):
            kept = {key: cut(item, depth - 1) for key, item in list(value.items())[:ITEM_LIMIT]}
            return kept if len(value) <= ITEM_LIMIT else {**kept, "...": f"[cut: {len(value)} items]"}
        items = [cut(item, depth - 1) for item in value[:ITEM_LIMIT]]
        return items if len(value) <= ITEM_LIMIT else [*items, f"[cut: {len(value)} items]"]
    return value
