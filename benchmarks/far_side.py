"""A far side for measurements: reads requests, answers, and counts; decodes nothing, so that it costs next to nothing.

In a process of its own (`python -m benchmarks.far_side`): its processor time is nobody's. The recording sink of the
tests decodes every record, which takes longer than encoding it.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from benchmarks.incoming import ACCEPTED, path, requests

_ANSWERS = {
    "accept": ACCEPTED,
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
    "silent": b"",
}


class FarSide:
    """The process, as who measures sees it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = int(self._told())

    def _told(self) -> str:
        return self._process.stdout.readline() if self._process.stdout else ""

    def counts(self) -> dict[str, int]:
        """Return, by path, how many requests were accepted; ``bytes``; ``marks``: how often the mark came in logs."""
        if self._process.stdin is None:
            return {}
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return json.loads(self._told())  # type: ignore[no-any-return]


@contextmanager
def far_side(
    answer: str = "accept", *, mark: str = "", port: int = 0, nice: int = 0, identity: Path | None = None
) -> Iterator[FarSide]:
    """Run a far side.

    Args:
        answer: ``accept``, ``500``, or ``silent``, which takes requests and never answers.
        mark: text that is counted in requests for logs: one that every record holds once.
        port: to listen on; any by default.
        nice: how far it gives way to others: it stands for another machine, whose processor is none of this one's.
        identity: PEM file with a key and a certificate, to speak TLS.
    """
    command = [sys.executable, "-m", "benchmarks.far_side", "--answer", answer, "--mark", mark, "--port", str(port)]
    command += ["--nice", str(nice)]
    command += ["--identity", str(identity)] if identity else []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield FarSide(process)
        finally:
            process.terminate()


class _Server:
    def __init__(self, answer: bytes, mark: bytes) -> None:
        self._answer = answer
        self._mark = mark
        self._lock = Lock()
        self.counts: dict[str, int] = {"bytes": 0, "marks": 0}

    def serve(self, connection: socket.socket) -> None:
        with connection:
            for head, buffer, length in requests(connection):
                self._count(path(head), buffer, length)
                if self._answer:
                    connection.sendall(self._answer)

    def _count(self, asked: str, buffer: bytearray, length: int) -> None:
        marks = buffer.count(self._mark, 0, length) if self._mark and asked.endswith("/logs") else 0
        with self._lock:
            self.counts[asked] = self.counts.get(asked, 0) + 1
            self.counts["bytes"] += length
            self.counts["marks"] += marks


def main() -> None:
    """Listen, tell the port, and tell the counts whenever a line comes in."""
    parser = argparse.ArgumentParser()
    for name in ("answer", "mark", "identity"):
        parser.add_argument(f"--{name}", default="")
    for name in ("port", "nice"):
        parser.add_argument(f"--{name}", type=int, default=0)
    chosen = parser.parse_args()
    os.nice(chosen.nice)
    server = _Server(_ANSWERS[chosen.answer], chosen.mark.encode())
    listening = socket.create_server(("127.0.0.1", chosen.port), backlog=64)
    Thread(target=_accept, args=(server, listening, chosen.identity), daemon=True).start()
    print(listening.getsockname()[1], flush=True)
    for _ in sys.stdin:
        print(json.dumps(server.counts), flush=True)


def _accept(server: _Server, listening: socket.socket, identity: str) -> None:
    context: Any = None
    if identity:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity)
    while True:
        connection, _ = listening.accept()
        Thread(target=_serve, args=(server, connection, context), daemon=True).start()


def _serve(server: _Server, connection: socket.socket, context: ssl.SSLContext | None) -> None:
    with suppress(OSError):  # clients are killed, and refuse certificates
        server.serve(context.wrap_socket(connection, server_side=True) if context else connection)


if __name__ == "__main__":
    main()
