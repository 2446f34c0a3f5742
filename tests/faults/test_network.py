"""A network in trouble, and then not any more: nothing is lost, and the job has ended long before.

A job in a process of its own, the shipper that it starts, and receivers on real sockets. Nearly all that a case does
is to wait, so several are under way at once: ``check_...`` is what the test of that name does with one case.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trustme

from synapse_otel.journal.cursor import Cursor, read_cursor
from synapse_otel.semconv.signal import Signal
from tests.eventually import eventually
from tests.faults import servers
from tests.faults.running import Place
from tests.runs.ports import free_port
from tests.sink import ACCEPT, Answer, Request, Sink, body
from tests.sink_grpc import GrpcSink

pytestmark = pytest.mark.once

T = TypeVar("T")

MESSAGES = [f"message {number}" for number in range(8)]
TIMEOUT_SECONDS = 0.5
AT_ONCE = 4


class HttpSink(Sink):
    """A receiver whose connections end with it."""

    def __init__(self, answer: Callable[[Request], Answer] | None = None, port: int = 0) -> None:
        super().__init__(answer, port)
        self._connections: list[socket.socket] = []
        accept = self._server.get_request

        def accept_and_keep() -> Any:
            connection, address = accept()
            self._connections.append(connection)
            return connection, address

        self._server.get_request = accept_and_keep  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for connection in self._connections:
            with suppress(OSError):  # ended already
                connection.shutdown(socket.SHUT_RDWR)


@dataclass
class Case:
    """A job's place on a port of ours, and the receivers that were there."""

    place: Place
    port: int
    grpc: bool = False
    sinks: list[Sink] = field(default_factory=list)

    def sink(self, answer: Callable[[Request], Answer] | None = None) -> Sink:
        """Return a good receiver on the port."""
        address = f"127.0.0.1:{self.port}"
        made = bound(lambda: GrpcSink(answer, address=address) if self.grpc else HttpSink(answer, self.port))
        self.sinks.append(made)
        return made

    def cursors(self) -> list[Cursor]:
        [folder] = self.place.folders()
        return [read_cursor(folder, signal) for signal in Signal]

    def recovers(self, pending: int, within: float = 60.0) -> None:
        """Wait until all that the job has said to be pending is delivered, and check that it has arrived."""
        eventually(lambda: all(cursor.complete for cursor in self.cursors()), within=within)
        assert sum(cursor.delivered for cursor in self.cursors()) == pending
        assert [cursor.dropped for cursor in self.cursors()] == [{}, {}, {}]
        assert len(self.by_uid()) == self.cursors()[0].delivered

    def by_uid(self) -> dict[str, list[Any]]:
        """Return the log records that arrived, by what they are told apart by."""
        found: dict[str, list[Any]] = {}
        for record in [record for sink in self.sinks for record in sink.logs()]:
            uid = next(pair.value.string_value for pair in record.attributes if pair.key == "log.record.uid")
            found.setdefault(uid, []).append(record)
        return found

    def bodies(self) -> list[Any]:
        """Return the bodies of the log records, each once, in the order of the journal."""
        found = self.by_uid()
        return [body(found[uid][0]) for uid in sorted(found, key=lambda uid: int(uid.rpartition("-")[2], 16))]


def bound(make: Callable[[], T]) -> T:
    """Return what listens on a port of ours: a process that begins elsewhere may hold who did before for a moment."""
    deadline = time.monotonic() + 5
    while True:
        try:
            return make()
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def case_of(root: Path, scheme: str = "http", **variables: str) -> Case:
    port = free_port()
    variables = {
        "OTEL_EXPORTER_OTLP_TIMEOUT": str(round(TIMEOUT_SECONDS * 1000)),
        "SYNAPSE_OTEL_EXIT_TIMEOUT": "1",
        **variables,
    }
    place = Place(root / "journals", f"{scheme}://127.0.0.1:{port}", variables)
    return Case(place, port, variables.get("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc")


@contextmanager
def a_case(root: Path, scheme: str = "http", **variables: str) -> Iterator[Case]:
    found = case_of(root, scheme, **variables)
    try:
        yield found
    finally:
        found.place.end_shippers()


@pytest.fixture(scope="module")
def verdicts(request, tmp_path_factory) -> Iterator[dict[str, Future[None]]]:
    """What becomes of every case that is to be run, by the name of its test."""
    chosen = [item for item in request.session.items if item.path == request.path]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            item.name: pool.submit(
                getattr(item.module, item.originalname.replace("test_", "check_", 1)),
                tmp_path_factory.mktemp("case"),
                **item.callspec.params,
            )
            for item in chosen
        }


@pytest.fixture
def verdict(request, verdicts) -> Future[None]:
    return verdicts[request.node.name]


both = pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])


def pending(err: str) -> int:
    """Return how many records the job has said to be pending, when nothing was delivered and nothing lost."""
    said = re.search(r"delivered 0 · pending (\d+) · dropped 0", err)
    assert said, err
    return int(said[1])


TROUBLE: dict[str, Callable[[int], AbstractContextManager[Any]]] = {
    "absent": lambda _port: nullcontext(),
    "silent": lambda port: servers.RawServer(servers.silent, port),
    "closing mid-body": lambda port: servers.RawServer(servers.closing, port),
    "resetting": lambda port: servers.RawServer(servers.resetting, port),
    "half answering": lambda port: servers.RawServer(servers.half_answering, port),
    "another protocol": lambda port: servers.RawServer(servers.garbling, port),
}


NOT_OVER_GRPC = {"half answering", "another protocol"}
"""gRPC sees no difference to a connection that is closed."""


def check_a_job_ends_whatever_the_network_does_and_everything_arrives_later(
    root: Path, protocol: str, name: str
) -> None:
    with a_case(root, OTEL_EXPORTER_OTLP_PROTOCOL=protocol) as case:
        with bound(lambda: TROUBLE[name](case.port)) as trouble:
            ended = case.place.run("normal", len(MESSAGES))
            assert ended.code == 0, "while the trouble lasts"
            waiting = pending(ended.err)
            eventually(lambda: all(cursor.attempts >= 2 and cursor.failure for cursor in case.cursors()), within=30)
            assert [cursor.delivered for cursor in case.cursors()] == [0, 0, 0]
            if name == "absent":
                time.sleep(2)  # long enough for many attempts that follow each other at once
            assert all(cursor.attempts < 20 for cursor in case.cursors())
        if trouble:
            assert 3 <= trouble.connections < 100
        with case.sink():
            case.recovers(waiting)
        assert case.bodies()[1:-1] == MESSAGES
        assert all(len(records) == 1 for records in case.by_uid().values())


@pytest.mark.parametrize(
    ("protocol", "name"),
    [("http/protobuf", name) for name in TROUBLE] + [("grpc", name) for name in TROUBLE if name not in NOT_OVER_GRPC],
)
def test_a_job_ends_whatever_the_network_does_and_everything_arrives_later(verdict, protocol, name):
    verdict.result()


def check_a_collector_that_is_gone_for_a_while(root: Path, protocol: str) -> None:
    with a_case(root, OTEL_EXPORTER_OTLP_PROTOCOL=protocol) as case:
        with case.sink() as sink:
            job = case.place.start("waiting")
            assert job.stdout.readline() == "ready\n"
            sink.wait(lambda: "before" in [body(record) for record in sink.logs()], within=20)
        _, err = job.communicate("")
        assert job.returncode == 0
        said = re.search(r"delivered (\d+) · pending ([1-9]\d*) · dropped 0", err)
        assert said, err
        with case.sink():
            case.recovers(int(said[1]) + int(said[2]))
        assert [found for found in case.bodies() if found in {"before", "after"}] == ["before", "after"]


@both
def test_a_collector_that_is_gone_for_a_while(verdict, protocol):
    verdict.result()


def check_a_collector_that_flaps(root: Path, protocol: str) -> None:
    with a_case(root, OTEL_EXPORTER_OTLP_PROTOCOL=protocol) as case:
        epochs = 120
        job = case.place.start("training", "0.01", epochs, output=case.place.root.with_suffix(".out"))
        while job.poll() is None:
            with case.sink():
                time.sleep(0.2)
            time.sleep(0.2)
        _, err = job.communicate()
        assert job.returncode == 0
        said = re.search(r"delivered (\d+) · pending (\d+) · dropped 0", err)
        assert said, err
        with case.sink():
            case.recovers(int(said[1]) + int(said[2]))
        told = [found for found in case.bodies() if isinstance(found, str) and found.startswith("epoch ")]
        assert told == [f"epoch {number}" for number in range(1, epochs + 1)]


@both
def test_a_collector_that_flaps(verdict, protocol):
    verdict.result()


def check_an_answer_that_comes_too_late_makes_duplicates_that_can_be_told(root: Path, protocol: str) -> None:
    with a_case(root, OTEL_EXPORTER_OTLP_PROTOCOL=protocol) as case:
        late: list[str] = []

        def answer(request: Request) -> Answer:
            if request.path == "/v1/logs" and not late:
                late.append(request.path)
                time.sleep(3 * TIMEOUT_SECONDS)
            return ACCEPT

        with case.sink(answer) as sink:
            ended = case.place.run("normal", len(MESSAGES))
            assert ended.code == 0
            said = re.search(r"delivered (\d+) · pending (\d+) · dropped 0", ended.err)
            assert said, ended.err
            case.recovers(int(said[1]) + int(said[2]))
            arrived = sink.logs()
        again = {uid: records for uid, records in case.by_uid().items() if len(records) > 1}
        assert len(arrived) == len(case.by_uid()) + sum(len(records) - 1 for records in again.values())
        assert again
        for first, *others in again.values():
            assert all(other == first for other in others)
        assert case.bodies()[1:-1] == MESSAGES


@both
def test_an_answer_that_comes_too_late_makes_duplicates_that_can_be_told(verdict, protocol):
    verdict.result()


# --- TLS -------------------------------------------------------------------------------------------------


class TlsSink(HttpSink):
    """A receiver that shows a certificate."""

    def __init__(self, certificate: trustme.LeafCert, port: int) -> None:
        super().__init__(port=port)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
OURS, STRANGER = trustme.CA(), trustme.CA()
BAD: dict[str, tuple[str, Callable[[int], Sink], str]] = {
    "expired": (
        "https",
        lambda port: TlsSink(OURS.issue_cert("127.0.0.1", not_before=LONG_AGO, not_after=LONG_AGO), port),
        "certificate has expired",
    ),
    "wrong host name": ("https", lambda port: TlsSink(OURS.issue_cert("example.org"), port), "not valid for"),
    "unknown authority": (
        "https",
        lambda port: TlsSink(STRANGER.issue_cert("127.0.0.1"), port),
        "unable to get local issuer certificate",
    ),
    "plain text where TLS is spoken": ("https", lambda port: Sink(port=port), "TLS with"),
    "TLS where plain text is spoken": ("http", lambda port: TlsSink(OURS.issue_cert("127.0.0.1"), port), ""),
}


def check_a_server_that_cannot_be_trusted_gets_nothing_and_a_good_one_everything(root: Path, name: str) -> None:
    scheme, bad, reason = BAD[name]
    OURS.cert_pem.write_to_path(root / "ca.pem")
    with a_case(root, scheme, OTEL_EXPORTER_OTLP_CERTIFICATE=str(root / "ca.pem")) as case:
        with bound(lambda: bad(case.port)) as stranger:
            ended = case.place.run("normal", len(MESSAGES))
            assert ended.code == 0
            waiting = pending(ended.err)
            eventually(lambda: all(cursor.failure for cursor in case.cursors()), within=30)
            assert all(reason in cursor.failure for cursor in case.cursors()), case.cursors()[0].failure
        assert stranger.requests == []
        certificate = OURS.issue_cert("127.0.0.1")
        good = bound(lambda: TlsSink(certificate, case.port) if scheme == "https" else Sink(port=case.port))
        case.sinks.append(good)
        with good:
            case.recovers(waiting)
        assert case.bodies()[1:-1] == MESSAGES


@pytest.mark.parametrize("name", BAD)
def test_a_server_that_cannot_be_trusted_gets_nothing_and_a_good_one_everything(verdict, name):
    verdict.result()
