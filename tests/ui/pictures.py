"""Image files, made by hand: of each type, and such as claim to be what they are not."""

from __future__ import annotations

import struct
import zlib
from base64 import b64decode
from collections.abc import Callable

Colour = tuple[int, int, int]


def png(width: int, height: int, colour: Callable[[int, int], Colour] | Colour) -> bytes:
    """Return a PNG, of one colour or of a colour for each pixel."""
    at = colour if callable(colour) else lambda _x, _y: colour
    rows = b"".join(b"\0" + bytes(part for x in range(width) for part in at(x, y)) for y in range(height))
    return _whole(width, height, zlib.compress(rows, 9))


def bomb(width: int, height: int) -> bytes:
    """Return a small PNG that says of itself that it is large."""
    return _whole(width, height, zlib.compress(bytes(1000), 9))


def _whole(width: int, height: int, data: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def prediction(sample: int, epoch: int, size: int = 96) -> bytes:
    """Return a picture that comes into focus: rings around a place, over noise that fades away."""
    noise = max(90 - 12 * epoch, 0)

    def colour(x: int, y: int) -> Colour:
        distance = ((x - size * (2 + sample % 4) / 7) ** 2 + (y - size / 2) ** 2) ** 0.5
        ring = int(distance * (3 + sample % 3)) % 256
        random = (x * 7919 + y * 104729 + x * y * 31) % (noise + 1)
        return (min(ring // 2 + random, 255), min(60 + ring // 3 + random, 255), (40 * sample + random) % 256)

    return png(size, size, colour)


JPEG = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgy"
    "PC4zNDL/wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAACf/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AVN//2Q=="
)
GIF = b64decode("R0lGODlhAQABAIAAAAUEBAAAACwAAAAAAQABAAACAkQBADs=")
WEBP_LOSSY = b64decode("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")
WEBP_LOSSLESS = b64decode("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
WEBP_EXTENDED = (
    b"RIFF"
    + struct.pack("<I", 30)
    + b"WEBPVP8X"
    + struct.pack("<I", 10)
    + bytes(4)
    + ((639).to_bytes(3, "little") + (479).to_bytes(3, "little"))
)
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>window.hacked = 4</script></svg>'
