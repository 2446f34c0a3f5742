"""The Synapse platform as far as the SDK's clients ask it: one HTTP server for many runs, which keeps every request.

A run is told apart by the first part of the path, how it is answered by the second: a client gets `url(run, ...)` as
its base address, and what is kept is without them.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Request:
    """One request, whole: headers in their order, the body as text."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: str


class FakePlatform(ThreadingHTTPServer):
    """Answers `{}` with an id, at once or as the address says; listens from its making on."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        self._kept: dict[str, list[Request]] = {}
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def url(self, run: str, behaviour: str = "ok") -> str:
        """Return a run's address; `behaviour` is `ok`, a delay as `slow-20` (milliseconds), a status as `fail-500`."""
        return f"http://127.0.0.1:{self.server_address[1]}/{run}/{behaviour}"

    def requests(self, run: str) -> list[Request]:
        """Return a run's requests, in the order of their arrival."""
        with self._lock:
            return list(self._kept.get(run, []))

    def write(self, run: str, file: Path) -> None:
        """Write a run's requests into a file, as JSON."""
        file.write_text(json.dumps([asdict(request) for request in self.requests(run)], indent=1))

    def keep(self, run: str, request: Request) -> None:
        """Keep a request."""
        with self._lock:
            self._kept.setdefault(run, []).append(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: who sends here may be killed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakePlatform

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        _, run, behaviour, path = self.path.split("/", 3)
        self.server.keep(run, Request(self.command, f"/{path}", list(self.headers.items()), body.decode()))
        kind, _, amount = behaviour.partition("-")
        if kind == "slow":
            time.sleep(int(amount) / 1000)
        answer = b'{"id": 1, "status": "running"}'
        self.send_response(int(amount) if kind == "fail" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the names that the base class calls

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""


@contextmanager
def running_platform() -> Iterator[FakePlatform]:
    """Run a platform in a thread."""
    with FakePlatform() as platform:
        thread = threading.Thread(target=platform.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield platform
        finally:
            platform.shutdown()
            thread.join()
