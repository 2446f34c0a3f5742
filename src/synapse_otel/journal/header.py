"""The first frame of a segment, which identifies its journal."""

from __future__ import annotations

from pathlib import Path

import msgspec

from synapse_otel.journal.frames import (
    DECODERS,
    HEADER,
    HEADER_SIZE,
    LARGEST_PAYLOAD,
    MARK,
    Kind,
    Segment,
    checksum,
    seed,
)


def read_header(path: Path) -> Segment | None:
    """Return the first frame of a segment; None if it cannot be read, or another frame comes first."""
    try:
        with path.open("rb") as file:
            mark, kind, count, length, check, sequence = HEADER.unpack(file.read(HEADER_SIZE).ljust(HEADER_SIZE, b"\0"))
            if mark != MARK or kind != Kind.SEGMENT or length > LARGEST_PAYLOAD:
                return None
            payload = file.read(length)
        if checksum(payload, seed(kind, count, sequence)) != check:
            return None
        structure: Segment = DECODERS[Kind.SEGMENT].decode(payload)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return structure
