"""What an image file says of itself in its first bytes: its type and size in pixels. Nothing is decoded."""

from __future__ import annotations

import struct
from typing import BinaryIO, Final, NamedTuple

_SEGMENTS: Final = 2_000
"""Segments of a JPEG, or blocks of a GIF, that are passed over at most."""
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length."""
_JPEG_FILL: Final = 0xFF
_JPEG_ENDS: Final = frozenset({0xD9, 0xDA})
"""Markers behind which no frame begins."""
_LENGTH_SIZE: Final = 2
_VP8L_SIGNATURE: Final = 0x2F


class ImageHead(NamedTuple):
    """Type and size of an image, as its file's head says."""

    type: str
    """Media type: `image/png`, `image/jpeg`, `image/gif` or `image/webp`."""
    width: int
    """In pixels, at least 1; of a GIF, of its first frame if that is larger."""
    height: int
    """The same."""


def image_head(file: BinaryIO) -> ImageHead | None:
    """Return the head of a PNG, JPEG, GIF or WebP, judged by content alone; None for anything else.

    Raises:
        OSError: the file cannot be read.
    """
    first = file.read(32)
    try:
        for marks, read in _READERS:
            if first.startswith(marks):
                found = read(file, first)
                return found if found is not None and found.width > 0 and found.height > 0 else None
    except (struct.error, IndexError):
        pass  # it ends in the middle of its head
    return None


def _png(_file: BinaryIO, first: bytes) -> ImageHead | None:
    if first[12:16] != b"IHDR":
        return None
    return ImageHead("image/png", *struct.unpack_from(">II", first, 16))


def _gif(file: BinaryIO, first: bytes) -> ImageHead | None:
    width, height, packed = struct.unpack_from("<HHB", first, 6)
    file.seek(13 + (3 << (packed & 7) + 1 if packed & 0x80 else 0))
    for _ in range(_SEGMENTS):
        kind = file.read(1)
        if kind == b"!":
            file.read(1)
            while length := file.read(1)[0]:
                file.seek(length, 1)
        elif kind == b",":
            left, top, wide, high = struct.unpack("<HHHH", file.read(8))
            return ImageHead("image/gif", max(width, left + wide), max(height, top + high))
        else:
            return None
    return None


def _webp(_file: BinaryIO, first: bytes) -> ImageHead | None:
    if first[8:12] != b"WEBP":
        return None
    kind = first[12:16]
    if kind == b"VP8X":
        low, high, other_low, other_high = struct.unpack_from("<HBHB", first, 24)
        width, height = (high << 16 | low) + 1, (other_high << 16 | other_low) + 1
    elif kind == b"VP8L" and first[20] == _VP8L_SIGNATURE:
        (bits,) = struct.unpack_from("<I", first, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 " and first[23:26] == b"\x9d\x01\x2a":
        width, height = (size & 0x3FFF for size in struct.unpack_from("<HH", first, 26))
    else:
        return None
    return ImageHead("image/webp", width, height)


def _jpeg(file: BinaryIO, _first: bytes) -> ImageHead | None:
    file.seek(2)
    for _ in range(_SEGMENTS):
        if file.read(1) != b"\xff":
            return None
        marker = file.read(1)[0]
        while marker == _JPEG_FILL:
            marker = file.read(1)[0]
        if marker in _JPEG_BARE:
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if marker in _JPEG_FRAMES:
            _bits, height, width = struct.unpack(">BHH", file.read(5))
            return ImageHead("image/jpeg", width, height)
        if length < _LENGTH_SIZE or marker in _JPEG_ENDS:
            return None
        file.seek(length - _LENGTH_SIZE, 1)
    return None


_READERS: Final = (
    ((b"\x89PNG\r\n\x1a\n",), _png),
    ((b"\xff\xd8\xff",), _jpeg),
    ((b"GIF87a", b"GIF89a"), _gif),
    ((b"RIFF",), _webp),
)
