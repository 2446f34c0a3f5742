"""Servers on loopback that do something else than to answer, and a wall that a real receiver stands behind."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from typing import Self

Talk = Callable[[socket.socket, Event], None]
"""What is done with a connection; the event is set when the server ends."""


class RawServer:
    """Does with each connection what it is told, and closes it."""

    def __init__(self, talk: Talk, port: int = 0) -> None:
        self._talk = talk
        self._listener = socket.create_server(("127.0.0.1", port))
        self._over = Event()
        self._threads = [Thread(target=self._serve)]
        self.connections = 0

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = Thread(target=self._handle, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _handle(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(30)
            self._talk(connection, self._over)


def silent(connection: socket.socket, over: Event) -> None:
    """Read what comes, and never answer."""
    connection.settimeout(0.05)
    while not over.is_set():
        with suppress(TimeoutError):
            if not connection.recv(1 << 16):
                return


def closing(connection: socket.socket, _over: Event) -> None:
    """Close in the middle of the request."""
    connection.recv(100)


def resetting(connection: socket.socket, _over: Event) -> None:
    """Reset the connection in the middle of the request."""
    connection.recv(100)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def half_answering(connection: socket.socket, _over: Event) -> None:
    """Begin an answer, and close."""
    connection.recv(1 << 20)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 100\r\n\r\n\x0a")


def garbling(connection: socket.socket, _over: Event) -> None:
    """Speak another protocol."""
    connection.recv(100)
    connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
