"""An HTTP server on loopback that accepts every request and hands on what it holds."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

Take = Callable[[str, bytes], None]
"""What takes a request's path and its body, decompressed; is called from many threads."""


class Receiving(ThreadingHTTPServer):
    """Listens from its making on; answers 200 when what takes the requests has returned."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, take: Take, port: int = 0) -> None:
        """Listen on a port, any by default."""
        self.take: Final = take
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Keep the connection in sight."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Let go of the connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def break_connections(self) -> None:
        """End what is open: answers under way are not given."""
        for connection in list(self._open):
            with suppress(OSError):  # closed meanwhile
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: who sends here is killed, and so are its connections."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiving

    def do_POST(self) -> None:
        """Accept a request."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.take(self.path, body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""
