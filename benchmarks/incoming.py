"""Requests over HTTP as they come in on a connection, read as cheaply as Python can: nothing is decoded."""

from __future__ import annotations

import socket
from collections.abc import Iterator

ACCEPTED = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"
_HEAD_END = b"\r\n\r\n"
_LARGEST_HEAD = 1 << 16


def requests(connection: socket.socket) -> Iterator[tuple[bytes, bytearray, int]]:
    """Yield each request's head, a buffer that begins with its body, and the body's length, until the other side ends.

    The buffer is the same for all requests, but where one is larger: take what is needed before asking for the next.

    Raises:
        OSError: the connection broke.
    """
    buffer = bytearray(1 << 21)
    left = b""
    while True:
        while _HEAD_END not in left:
            more = connection.recv(_LARGEST_HEAD)
            if not more:
                return
            left += more
        head, _, left = left.partition(_HEAD_END)
        length = _length(head)
        if len(buffer) < length:
            buffer = bytearray(length)
        body, left = left[:length], left[length:]
        at = len(body)
        with memoryview(buffer) as view:
            view[:at] = body
            while at < length:
                size = connection.recv_into(view[at:length])
                if not size:
                    return
                at += size
        yield head, buffer, length


def path(head: bytes) -> str:
    """Return what a request asks for."""
    return head.split(b" ", 2)[1].decode()


def is_compressed(head: bytes) -> bool:
    """Say whether a body is compressed."""
    return b"\ncontent-encoding:" in head.lower()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
