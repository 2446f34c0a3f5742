"""Simulated jobs that send, in a process of its own: ``python -m benchmarks.collector.generator ORDERS``.

One thread, many connections that are kept open, one request under way on each, as every sender waits for its answer.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import cycle
from statistics import median
from typing import Any, Final

from benchmarks.collector.requests import Request, SimulatedJob

_ACCEPTED: Final = b"HTTP/1.1 200"
_ANSWER: Final = 1 << 16
_AGAIN_SECONDS: Final = 0.05
"""After a refusal."""
_PATIENCE_SECONDS: Final = 10.0
"""For what is refused when the time is over."""


@dataclass(frozen=True)
class Orders:
    """What is to be sent."""

    port: int
    jobs: int
    seconds: float
    connections: int
    kind: str
    """A key of `KINDS`."""
    rate: float = 0.0
    """Requests a second; 0: as fast as they are answered."""


@dataclass
class Sent:
    """What was accepted."""

    requests: int = 0
    records: int = 0
    log_records: int = 0
    bytes: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    """By status."""
    seconds: float = 0.0
    answer_ms: float = 0.0
    """Median time from the first byte of a request to its answer."""
    answer_worst_ms: float = 0.0
    cpu_seconds: float = 0.0


def bulk(job: SimulatedJob) -> Iterator[Request]:
    """Yield the request of a job that speaks much: 2,000 log records."""
    yield job.logs(2000)


def small(job: SimulatedJob) -> Iterator[Request]:
    """Yield the request of a job that says one thing each second."""
    yield job.logs(1)


def mix(job: SimulatedJob) -> Iterator[Request]:
    """Yield what ten seconds of most jobs bring: a little of each signal."""
    logs, metrics = job.logs(3), job.metrics(4)
    yield from (logs, metrics, metrics, logs, metrics, job.spans(2), metrics, logs, metrics, metrics)


KINDS: Final = {"bulk": bulk, "small": small, "mix": mix}


class _Connection:
    """A connection, and the request that is under way on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request: Request | None = None
        self.begin = 0.0

    def send(self, request: Request, number: int) -> None:
        request.stamp(number)
        self.request = request
        self.begin = time.perf_counter()
        self.socket.sendall(request.bytes)


class Generator:
    """The jobs' requests in turn, over connections that take the next one when they are answered."""

    def __init__(self, orders: Orders) -> None:
        """Encode all requests and connect."""
        rows = [list(KINDS[orders.kind](SimulatedJob(number))) for number in range(orders.jobs)]
        turns = range(max(map(len, rows)))
        # Jobs begin at different places of their row, so that all kinds of requests are under way at any time.
        self._next = cycle([row[(at + turn) % len(row)] for turn in turns for at, row in enumerate(rows)])
        self._orders = orders
        self._connections = [_Connection(orders.port) for _ in range(orders.connections)]
        self._idle = deque(self._connections)
        self._refused = deque[tuple[float, _Connection]]()
        """With the time from which they try again."""
        self._by_number = {connection.socket.fileno(): connection for connection in self._connections}
        self._poll = select.epoll()
        for descriptor in self._by_number:
            self._poll.register(descriptor, select.EPOLLIN)
        self._answers: list[float] = []
        self._statuses: Counter[str] = Counter()
        self._number = 0
        self._sent = Sent()

    def run(self) -> Sent:
        """Send until the time is over and all that is under way is answered."""
        begin, used = time.perf_counter(), time.process_time()
        end = begin + self._orders.seconds
        while (now := time.perf_counter()) < end or len(self._idle) < len(self._connections):
            self._try_again(now, until=end + _PATIENCE_SECONDS)
            if now < end:
                self._send(now - begin)
            for descriptor, _ in self._poll.poll(0.001):
                self._take(self._by_number[descriptor])
        sent = self._sent
        sent.seconds = time.perf_counter() - begin
        sent.cpu_seconds = time.process_time() - used
        sent.refused = dict(self._statuses)
        sent.answer_ms = median(self._answers) * 1e3 if self._answers else 0.0
        sent.answer_worst_ms = max(self._answers, default=0.0) * 1e3
        return sent

    def _send(self, seconds: float) -> None:
        allowed = seconds * self._orders.rate if self._orders.rate else float("inf")
        while self._idle and self._number < allowed:
            self._idle.popleft().send(next(self._next), self._number)
            self._number += 1

    def _try_again(self, now: float, until: float) -> None:
        while self._refused and self._refused[0][0] <= now:
            _, connection = self._refused.popleft()
            if connection.request is not None and now < until:
                connection.send(connection.request, self._number)
                self._number += 1
            else:
                self._idle.append(connection)

    def _take(self, connection: _Connection) -> None:
        answer = connection.socket.recv(_ANSWER)
        request = connection.request
        if not answer or request is None:
            raise ConnectionError(f"the agent closed a connection: {answer[:200]!r}")
        now = time.perf_counter()
        if not answer.startswith(_ACCEPTED):
            self._statuses[answer[9:12].decode()] += 1
            self._refused.append((now + _AGAIN_SECONDS, connection))
            return
        self._answers.append(now - connection.begin)
        self._sent.requests += 1
        self._sent.records += request.records
        self._sent.bytes += len(request.bytes)
        self._sent.log_records += request.records if request.is_logs else 0
        connection.request = None
        self._idle.append(connection)


def main() -> None:
    """Make ready, say so, wait for a line, send, and print what was accepted."""
    orders: dict[str, Any] = json.loads(sys.argv[1])
    generator = Generator(Orders(**orders))
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(asdict(generator.run())), flush=True)


if __name__ == "__main__":
    main()
