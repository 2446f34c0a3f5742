"""The image files that records name, opened with care: a record may name anything, and files change."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import PurePath
from stat import S_ISLNK, S_ISREG
from typing import BinaryIO, Final, NamedTuple

from synapse_otel import semconv
from synapse_otel._guard import guarded
from synapse_otel._text import iso_time
from synapse_otel.runs.image_heads import ImageHead, image_head

LARGEST_FILE: Final = 32 << 20
"""Bytes of an image that is shown, at most."""
MOST_PIXELS: Final = 100_000_000
"""Pixels of an image that is shown, at most: a browser needs four bytes for each, however small the file is."""
SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp"})
"""Endings of the names of files that the page expects to be images; what they are, their content says."""
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY
_SURROGATE: Final = re.compile(r"\\udc([89a-f][0-9a-f])")
"""What the journal writes for a byte of a path that is not UTF-8."""


class Reason(StrEnum):
    """Why an image is not shown."""

    RELATIVE = "relative"
    GONE = "gone"
    DENIED = "denied"
    NO_FILE = "no file"
    LINK = "link"
    TOO_LARGE = "too large"
    NO_IMAGE = "no image"
    CHANGED = "changed"
    ELSEWHERE = "elsewhere"
    LEFT_OUT = "left out"


class ImageError(LookupError):
    """An image is not shown; the message says why, for the reader of the page."""

    def __init__(self, reason: Reason, text: str, head: ImageHead | None = None, size: int | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.head = head
        """Of an image that has `CHANGED`: what is there now."""
        self.size = size
        """Of the same: its bytes."""


class NamedFile(NamedTuple):
    """A file as a record names it, credentials in its path included."""

    path: str
    directory: str
    """The working directory of the call, where the path is relative; empty if it was not recorded."""
    size: int | None
    """Bytes at the time of the record; None if it was not there, or not to be seen."""
    modified: str
    """When it was last written, as `iso_time`; empty if that was not recorded."""
    time: int
    """Unix time in ns of the record."""


class OpenImage(NamedTuple):
    """An image file that is open for reading, at its beginning."""

    file: BinaryIO
    head: ImageHead
    size: int
    """Bytes."""
    identity: tuple[int, int]
    """Device and number of the file: the same for two records that name one file."""


def is_image_name(event: str, path: str) -> bool:
    """Return whether a record of an event that names a path is expected to name an image."""
    return bool(path) and (event == semconv.EVENT_VISUALIZATION or PurePath(path).suffix.lower() in SUFFIXES)


def open_image(named: NamedFile, *, changed: bool = False) -> OpenImage:
    """Open the image that a record names. The file may be of any type and size, and need not be there.

    Args:
        named: the file.
        changed: whether to open what is there now, though the record is about something that was there before.

    Raises:
        ImageError: it is not shown.
    """
    path, found = _found(named)
    if S_ISLNK(found.st_mode):
        raise ImageError(Reason.LINK, "the path is a symbolic link, which is not followed")
    if not S_ISREG(found.st_mode):
        raise ImageError(Reason.NO_FILE, "the path is not that of a regular file")
    if found.st_size > LARGEST_FILE:
        limit = f"the limit is {LARGEST_FILE >> 20} MiB"
        raise ImageError(Reason.TOO_LARGE, f"the file is too large: {found.st_size:,} bytes, {limit}")
    try:
        file = os.fdopen(os.open(path, _FLAGS), "rb")
    except OSError as error:
        raise _refused(error) from None
    try:
        head = _checked_head(file, found)
        if not changed:
            _check_unchanged(named, found, head)
        file.seek(0)
    except OSError as error:
        file.close()
        raise _refused(error) from None
    except ImageError:
        file.close()
        raise
    return OpenImage(file, head, found.st_size, (found.st_dev, found.st_ino))


def _found(named: NamedFile) -> tuple[str, os.stat_result]:
    """Return the path of the file and what the file system says of it. Nothing is opened: a FIFO would wait."""
    path = os.path.join(named.directory, named.path)  # noqa: PTH118 - a `Path` is not the text that was written
    if not path.startswith("/"):
        raise ImageError(
            Reason.RELATIVE, "the path is relative, and the record does not say to which directory: log a whole path"
        )
    tries = [path]
    if _SURROGATE.search(path):
        tries.append(_SURROGATE.sub(lambda byte: chr(0xDC00 + int(byte[1], 16)), path))
    failure: OSError | None = None
    for one in tries:
        try:
            return one, os.lstat(one)
        except ValueError:
            raise ImageError(Reason.GONE, "the path holds a zero byte, which no path can") from None
        except OSError as error:
            failure = failure or error
    raise _refused(failure or OSError())


def _refused(error: OSError) -> ImageError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return ImageError(Reason.GONE, "the file is not on this machine any more")
    if isinstance(error, PermissionError):
        return ImageError(Reason.DENIED, "the file may not be read by who shows this page")
    return ImageError(Reason.GONE, f"the file cannot be read: {error.strerror or 'unknown error'}")


def _checked_head(file: BinaryIO, found: os.stat_result) -> ImageHead:
    opened = os.fstat(file.fileno())
    if (opened.st_dev, opened.st_ino, opened.st_size) != (found.st_dev, found.st_ino, found.st_size):
        raise ImageError(Reason.GONE, "the file is being replaced")
    head = image_head(file)
    if head is None:
        file.seek(0)
        if b"<svg" in file.read(4_096):
            raise ImageError(Reason.NO_IMAGE, "an SVG is not shown, as it can run script; log a PNG, JPEG, GIF or WebP")
        raise ImageError(Reason.NO_IMAGE, "the file is not a PNG, JPEG, GIF or WebP, as its content says")
    if head.width * head.height > MOST_PIXELS:
        size = f"{head.width:,} by {head.height:,} pixels, the limit is {MOST_PIXELS // 1_000_000} million"
        raise ImageError(Reason.TOO_LARGE, f"the image is too large: {size}")
    return head


def _check_unchanged(named: NamedFile, found: os.stat_result, head: ImageHead) -> None:
    if named.size is None:
        raise ImageError(Reason.CHANGED, "the file was not there yet when it was logged", head, found.st_size)
    if named.modified:
        same = guarded(iso_time, found.st_mtime_ns, otherwise=lambda _error: "") == named.modified
    else:
        same = found.st_mtime_ns <= named.time  # recorded by a version before this one
    if not same or found.st_size != named.size:
        raise ImageError(Reason.CHANGED, "the file has changed since it was logged", head, found.st_size)
