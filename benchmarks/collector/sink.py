"""The backends of a load: take what the gateway sends over HTTP and gRPC, and count; a process of its own.

``python -m benchmarks.collector.sink`` prints its two ports, and for each line that comes in what it has counted. It
decodes nothing: a log record is a ``log.record.uid``, found in the bytes, and the first record of each request of
`benchmarks.collector.requests` says when it was sent.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Any, Final

import grpc

from benchmarks.collector.requests import SENT
from benchmarks.incoming import ACCEPTED, is_compressed, path, requests
from synapse_otel import semconv

_UID: Final = semconv.LOG_RECORD_UID.encode()
_WAS_SENT: Final = re.compile(SENT + rb"([0-9a-f]{16})")
_UNLIMITED: Final = (("grpc.max_receive_message_length", -1),)
_SERVICES: Final = {"LogsService": "logs", "MetricsService": "metrics", "TraceService": "traces"}


@dataclass(frozen=True)
class Counts:
    """What has arrived."""

    requests: int
    bytes: int
    log_records: int
    delays: list[float]
    """Seconds from the sending of a request for logs to its arrival here; since the counts were last asked for."""
    cpu_seconds: float


class Sink:
    """The process, as who measures sees it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Wait until it listens."""
        self._process = process
        self.pid = process.pid
        self.http, self.grpc = json.loads(self._told())

    def _told(self) -> str:
        return self._process.stdout.readline() if self._process.stdout else ""

    def counts(self) -> Counts:
        """Return what has arrived until now."""
        if self._process.stdin is not None:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        return Counts(**json.loads(self._told()))


@contextmanager
def sink() -> Iterator[Sink]:
    """Run a sink."""
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Sink(process)
        finally:
            process.terminate()


class _Counter:
    """Counts, from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: dict[str, Any] = {"requests": 0, "bytes": 0, "log_records": 0}
        self._delays: list[float] = []

    def take(self, signal: str, body: bytes) -> None:
        now = time.time_ns()
        records = body.count(_UID) if signal == "logs" else 0
        delays = [(now - int(found[1], 16)) / 1e9 for found in _WAS_SENT.finditer(body)] if records else []
        with self._lock:
            self._counts["requests"] += 1
            self._counts["bytes"] += len(body)
            self._counts["log_records"] += records
            self._delays += delays

    def told(self) -> str:
        with self._lock:
            told = json.dumps({**self._counts, "delays": self._delays, "cpu_seconds": time.process_time()})
            self._delays = []
        return told


def _serve(counter: _Counter, connection: socket.socket) -> None:
    with connection, suppress(OSError):  # the gateway is killed
        for head, buffer, length in requests(connection):
            body = bytes(memoryview(buffer)[:length])
            counter.take(path(head).rpartition("/")[2], gzip.decompress(body) if is_compressed(head) else body)
            connection.sendall(ACCEPTED)


class _Methods(grpc.GenericRpcHandler):
    def __init__(self, counter: _Counter) -> None:
        self._counter = counter

    def service(self, handler_call_details: Any) -> Any:
        signal = _SERVICES[handler_call_details.method.split(".")[-1].partition("/")[0]]
        return grpc.unary_unary_rpc_method_handler(lambda body, _: self._count(signal, body))

    def _count(self, signal: str, body: bytes) -> bytes:
        self._counter.take(signal, body)
        return b""


def _accept(counter: _Counter, listening: socket.socket) -> None:
    while True:
        connection, _ = listening.accept()
        Thread(target=_serve, args=(counter, connection), daemon=True).start()


def main() -> None:
    """Listen, print the ports, and print the counts whenever a line comes in."""
    counter = _Counter()
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    Thread(target=_accept, args=(counter, listening), daemon=True).start()
    server = grpc.server(ThreadPoolExecutor(4), (_Methods(counter),), options=_UNLIMITED)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(json.dumps([listening.getsockname()[1], port]), flush=True)
    for _ in sys.stdin:
        print(counter.told(), flush=True)
    server.stop(0)


if __name__ == "__main__":
    main()
