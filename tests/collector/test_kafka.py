"""Kafka between the tiers: whatever is killed, full, too small or refused, every record arrives, and few twice."""

from __future__ import annotations

import itertools
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import urllib3
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from synapse_otel.journal.cursor import Cursor, read_cursor
from synapse_otel.sdk.oversize import LARGEST_SPAN, RECORD_LIMIT
from synapse_otel.semconv.signal import Signal
from tests.collector.kafka import (
    Sender,
    arrived,
    broker_with_tls,
    commands,
    committed,
    ends,
    page_block,
    run_shell,
    tiers_to_sink,
)
from tests.docs.examples import TREE
from tests.eventually import eventually
from tests.faults.running import Place
from tests.sink import ACCEPT, Answer, Sink
from tests.sink_grpc import GrpcSink
from tests.stack import otlp
from tools.pull_plug.faults import KAFKA_FAULTS
from tools.pull_plug.tiers import MAX_MESSAGE_BYTES, PARTITIONS, Between, kafka_configs, running_tiers
from tools.pull_plug.trial import Outcome, Tiers, trial
from tools.stack.errors import AnswerError
from tools.stack.fetch import answers_ok, get_text
from tools.stack.kafka.wire import committed_offsets, create_topics, end_offsets, shares
from tools.stack.ports import Ports
from tools.stack.process import Process
from tools.stack.servers import SERVERS, url
from tools.stack.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.once]

RATE = 2000
MEBIBYTE = 1 << 20
SESSION_SECONDS = 6.0
TAKEOVER_SECONDS = SESSION_SECONDS + 5.0


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with broker_with_tls(tmp_path_factory.mktemp("broker")) as running:
        yield running


_NUMBERS = itertools.count()


@pytest.fixture
def between(broker: Stack) -> Between:
    """Topics and a group of a test's own."""
    made = Between(broker, f"test{next(_NUMBERS)}")
    made.create_topics()
    return made


# --- faults under load ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiers(broker: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiers]:
    folder = tmp_path_factory.mktemp("tiers")
    shared = Between(broker, "shared")
    shared.create_topics()
    with running_tiers(folder, folder / "queues", queue_bytes=8 * MEBIBYTE, between=shared) as running:
        yield running


def run(tiers: Tiers, fault: str, seconds: float) -> Outcome:
    """Run a trial and check that nothing is lost, and that no more is repeated than a few seconds' worth."""
    outcome = trial(fault.replace("'", ""), tiers, KAFKA_FAULTS[fault], seconds=seconds, rate=RATE)
    print(outcome)
    assert outcome.wrong == []
    assert outcome.lost == 0
    assert outcome.made > RATE
    assert outcome.repeated <= outcome.made
    return outcome


@pytest.mark.parametrize(
    ("fault", "seconds"),
    {
        "broker killed": 1.0,
        "gateway killed": 0.5,
        "broker's disk full": 1.0,
    }.items(),
)
def test_no_record_is_lost(tiers: Tiers, fault: str, seconds: float) -> None:
    run(tiers, fault, seconds)


def test_what_full_queues_refuse_waits_in_kafka_and_is_tried_again(between: Between, tmp_path: Path) -> None:
    small = {"COLLECTOR_QUEUE_BYTES": "5000000"}
    with (
        Sink(lambda _: Answer(503)) as sink,
        tiers_to_sink(tmp_path, between, sink, small, parts=("gateway", "agent")) as stack,
    ):
        sent = Sender(stack.otlp_http, length=16_000)
        sent.until(lambda: "sending queue is full" in stack.log("gateway"), within=60)
        sent.some(20)
        assert sum(committed(between)) < sum(ends(between))
        assert metric(stack, "agent", "otelcol_receiver_refused_log_records") == 0
        sink.answer = lambda _: ACCEPT
        sink.wait(lambda: sent.texts == arrived(sink).keys(), within=60)


# --- two gateways --------------------------------------------------------------------------------------------


def test_the_partitions_of_a_killed_gateway_are_taken_over_in_time(between: Between, tmp_path: Path) -> None:
    """What the killed one had on its disk arrives when it is back; all else at once, through the other."""
    with ExitStack() as entered:
        sink = entered.enter_context(Sink())
        both = [
            entered.enter_context(tiers_to_sink(tmp_path / name, between, sink, parts=parts))
            for name, parts in {"first": ("gateway", "agent"), "second": ("gateway",)}.items()
        ]
        sent = Sender(both[0].otlp_http)
        sent.until(lambda: is_settled(between, gateways=2), within=30)
        both[0].kill("gateway")
        killed = time.monotonic()
        sent.some(40)  # each service's, so every partition's; more would measure how long the sending takes
        wanted = ends(between)
        eventually(lambda: all(map(int.__ge__, committed(between), wanted)), within=TAKEOVER_SECONDS)
        took = time.monotonic() - killed
        both[0].restart("gateway")
        texts = sink.wait(lambda: sent.texts <= arrived(sink).keys() and arrived(sink), within=30)
    assert SESSION_SECONDS / 2 < took < TAKEOVER_SECONDS  # it was not already the second's
    assert sum(texts.values()) - len(texts) <= len(texts) / 2


def is_settled(between: Between, gateways: int) -> bool:
    """Tell whether so many gateways have the same number of partitions of each signal.

    Before, a rebalance is going on. A gateway that is killed during one is missed when that one has ended, which takes
    a session time-out, and after another one.
    """
    return shares(between.broker.kafka_port, between.prefix) == [PARTITIONS // gateways] * gateways * len(Signal)


def metric(stack: Stack, tier: str, name: str) -> float:
    """Return one of a tier's own counters, all its series summed up."""
    text = get_text(stack.collector_metrics(tier))
    return sum(float(value) for value in re.findall(rf"^{name}(?:_total)?\{{.*\}} (\S+)$", text, re.MULTILINE))


# --- keys ----------------------------------------------------------------------------------------------------


def test_a_jobs_messages_are_in_one_partition_and_those_of_many_jobs_in_all(between: Between, tmp_path: Path) -> None:
    with Sink() as sink, tiers_to_sink(tmp_path, between, sink, parts=("agent",)) as stack:
        for number in range(6):
            otlp.send(stack.otlp_http, otlp.logs("one job", [otlp.record(time.time_ns(), str(number))]))
        assert sorted(ends(between)) == [0] * (PARTITIONS - 1) + [6]
        metrics = [otlp.metrics("one job", [otlp.gauge("m", "1", [(1, 1.0)], "job")]) for _ in range(6)]
        for request in metrics:
            otlp.send(stack.otlp_http, request)
        assert sorted(ends(between, "metrics")) == [0] * (PARTITIONS - 1) + [6]
        Sender(stack.otlp_http, services=100).some(100)
        assert all(ends(between))
        trace = Span(trace_id=bytes(15) + b"1", span_id=bytes(7) + b"1", name="train")
        for _ in range(6):
            otlp.send(stack.otlp_http, otlp.traces("one job", [trace]))
        assert sorted(ends(between, "traces")) == [0] * (PARTITIONS - 1) + [6]


# --- sizes ---------------------------------------------------------------------------------------------------


def test_whatever_the_library_may_send_fits_the_topic(between: Between, tmp_path: Path) -> None:
    """A request as large as the agent takes is split; the largest record and the largest span are not too large."""
    texts = [f"{number:>15999}" for number in range(800)]
    record = otlp.record(time.time_ns(), "r" * (RECORD_LIMIT - 100))
    span = Span(trace_id=bytes(15) + b"1", span_id=bytes(7) + b"1", name="s" * LARGEST_SPAN)
    with Sink() as sink, GrpcSink() as spans:
        to_spans = {"COLLECTOR_TRACES_ENDPOINT": spans.url.removeprefix("http://")}
        with tiers_to_sink(tmp_path, between, sink, to_spans, parts=("gateway", "agent")) as stack:
            otlp.send(stack.otlp_http, otlp.logs("many", [otlp.record(time.time_ns(), text) for text in texts]))
            otlp.send(stack.otlp_http, otlp.logs("one", [record]))
            otlp.send(stack.otlp_http, otlp.traces("one", [span]))
            sink.wait(lambda: len(arrived(sink)) == len(texts) + 1, within=30)
            spans.wait(spans.spans, within=30)
            found = arrived(sink)
    assert found == Counter([*texts, record.body.string_value])
    assert sum(ends(between)) >= len(texts) * 16_000 / MAX_MESSAGE_BYTES + 1
    assert [len(span.name) for span in spans.spans()] == [LARGEST_SPAN]


def test_a_record_above_the_limit_is_refused_and_harms_no_other(between: Between, tmp_path: Path) -> None:
    huge = otlp.logs("huge", [otlp.record(time.time_ns(), "z" * (6 * MEBIBYTE))])
    with Sink() as sink, tiers_to_sink(tmp_path, between, sink, parts=("gateway", "agent")) as stack:
        answer = urllib3.request("POST", f"{stack.otlp_http}/v1/logs", body=huge.SerializeToString(), headers=PROTOBUF)
        assert (answer.status, b"greater than max size" in answer.data) == (503, True)
        sent = Sender(stack.otlp_http)
        sent.some(20)
        sink.wait(lambda: sent.texts == arrived(sink).keys(), within=20)


PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.mark.timeout(600)
def test_a_topic_with_too_small_a_limit_hands_requests_back_and_nothing_is_lost(broker: Stack, tmp_path: Path) -> None:
    """Requests above the limit are halved by the shipper; a record above it waits until the limit is raised."""
    small = Between(broker, "small")
    create_topics(broker.kafka_port, [small.topics["logs"]], PARTITIONS, {"max.message.bytes": "12000"})
    create_topics(broker.kafka_port, [small.topics["metrics"], small.topics["traces"]], PARTITIONS)
    place = Place(tmp_path / "journals")
    plain = {"COLLECTOR_KAFKA_COMPRESSION": "none"}
    with Sink() as sink, tiers_to_sink(tmp_path, small, sink, plain, parts=("gateway", "agent")) as stack:
        place.endpoint = stack.otlp_http
        place.variables["SYNAPSE_OTEL_EXIT_TIMEOUT"] = "1"
        try:
            assert place.run("filling", 8_000, 8).code == 0
            assert place.run("filling", 16_000, 1).code == 0
            # Three failures of the whole, one of each half: after each a wait is drawn, the longest from up to 30 s.
            sink.wait(lambda: of_size(sink, 8_000) == 8, within=180)
            assert of_size(sink, 16_000) == 0
            eventually(lambda: any("MESSAGE_TOO_LARGE" in cursor.failure for cursor in cursors(place)), within=20)
            raise_limit(small)
            # One that waits for a minute, on a server that was left alone for half a minute.
            sink.wait(lambda: of_size(sink, 16_000) == 1, within=120)
            assert of_size(sink, 8_000) == 8
        finally:
            place.end()


def of_size(sink: Sink, size: int) -> int:
    """Return how many different texts of some thousand characters arrived."""
    return sum(size <= len(text) < size + 1_000 for text in arrived(sink))


def cursors(place: Place) -> list[Cursor]:
    """Return how far each journal's log records have been delivered."""
    return [read_cursor(folder, Signal.LOGS) for folder in place.folders()]


def raise_limit(between: Between) -> None:
    """As docs/kafka.md says."""
    variables = {"BROKERS": f"127.0.0.1:{between.broker.kafka_port}", "TOPIC": between.topics["logs"]}
    run_shell(page_block("kafka-configs.sh"), between.broker.directory, variables)


# --- what is refused goes back to the sender -----------------------------------------------------------------


def test_without_a_broker_nothing_is_accepted_and_the_journal_keeps_all(tmp_path: Path) -> None:
    nowhere = {"COLLECTOR_KAFKA_BROKERS": "127.0.0.1:9"}
    place = Place(tmp_path / "journals")
    place.variables |= {"SYNAPSE_OTEL_EXIT_TIMEOUT": "1", "OTEL_EXPORTER_OTLP_TIMEOUT": "1000"}
    with Stack(("agent",), directory=tmp_path, environment=nowhere, configs=kafka_configs()) as stack:
        place.endpoint = stack.otlp_http
        try:
            place.run("normal", 8)
            [cursor] = eventually(lambda: [cursor for cursor in cursors(place) if cursor.attempts], within=30)
        finally:
            place.end()
    assert cursor.failure.startswith("no answer from")
    assert (cursor.delivered, cursor.dropped, cursor.complete) == (0, {}, False)


def test_a_topic_that_does_not_exist_is_refused_and_not_created(between: Between, tmp_path: Path) -> None:
    request = otlp.logs("no topic", [otlp.record(time.time_ns(), "text")]).SerializeToString()
    other = {"COLLECTOR_KAFKA_LOGS_TOPIC": "no-such-topic"}
    with Sink() as sink, tiers_to_sink(tmp_path, between, sink, other, parts=("agent",)) as stack:
        answer = urllib3.request("POST", f"{stack.otlp_http}/v1/logs", body=request, headers=PROTOBUF, retries=False)
        assert (answer.status, b"UNKNOWN_TOPIC_OR_PARTITION" in answer.data) == (503, True)
        with pytest.raises(AnswerError, match="error 3"):
            end_offsets(between.broker.kafka_port, "no-such-topic", 1)


# --- what cannot be read -------------------------------------------------------------------------------------


def test_a_message_that_is_no_otlp_does_not_hold_up_its_partition(between: Between, tmp_path: Path) -> None:
    """Logs in a topic that a gateway reads as spans, as somebody else might write there."""
    wrong = {"COLLECTOR_KAFKA_LOGS_TOPIC": between.topics["traces"]}
    with Sink() as sink, GrpcSink() as spans, ExitStack() as entered:
        strange = entered.enter_context(tiers_to_sink(tmp_path / "strange", between, sink, wrong, parts=("agent",)))
        for number in range(50):
            otlp.send(strange.otlp_http, otlp.logs(f"job {number}", [otlp.record(time.time_ns(), "no span")]))
        assert all(ends(between, "traces"))
        to_spans = {"COLLECTOR_TRACES_ENDPOINT": spans.url.removeprefix("http://")}
        both = tiers_to_sink(tmp_path / "both", between, sink, to_spans, parts=("gateway", "agent"))
        stack = entered.enter_context(both)
        for number in range(50):
            trace = Span(trace_id=bytes(15) + bytes([number + 1]), span_id=bytes(7) + b"1", name=f"span {number}")
            otlp.send(stack.otlp_http, otlp.traces("job", [trace]))
        spans.wait(lambda: {f"span {number}" for number in range(50)} <= {s.name for s in spans.spans()}, within=30)
        eventually(lambda: committed(between, "traces") == ends(between, "traces"), within=10)
        assert "failed to unmarshal message" in stack.log("gateway")


# --- TLS and SASL --------------------------------------------------------------------------------------------


def secured(broker: Stack, **changes: str) -> dict[str, str]:
    folder = broker.directory / "kafka" / "secure"
    return {
        "COLLECTOR_KAFKA_BROKERS": f"127.0.0.1:{broker.kafka_secure_port}",
        "COLLECTOR_KAFKA_TLS": "server",
        "COLLECTOR_KAFKA_CA_FILE": str(folder / "ca.pem"),
        "COLLECTOR_KAFKA_AUTH": "sasl",
        "COLLECTOR_KAFKA_SASL_FILE": str(folder / "SCRAM-SHA-512.yaml"),
        **changes,
    }


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_the_tiers_reach_a_broker_with_tls_and_a_password(
    mechanism: str, broker: Stack, between: Between, tmp_path: Path
) -> None:
    file = broker.directory / "kafka" / "secure" / f"{mechanism}.yaml"
    settings = secured(broker, COLLECTOR_KAFKA_SASL_FILE=str(file))
    with Sink() as sink, tiers_to_sink(tmp_path, between, sink, settings, parts=("gateway", "agent")) as stack:
        sent = Sender(stack.otlp_http)
        sent.some(5)
        sink.wait(lambda: sent.texts == arrived(sink).keys(), within=20)


@pytest.mark.parametrize(
    "wrong",
    [
        ("COLLECTOR_KAFKA_SASL_FILE", "wrong-SCRAM-SHA-512.yaml", "SASL_AUTHENTICATION_FAILED"),
        ("COLLECTOR_KAFKA_CA_FILE", "stranger.pem", "certificate signed by unknown authority"),
    ],
    ids=["the password", "the authority"],
)
def test_who_is_refused_by_the_broker_accepts_nothing(
    wrong: tuple[str, str, str], broker: Stack, between: Between, tmp_path: Path
) -> None:
    variable, file, said = wrong
    settings = secured(broker, **{variable: str(broker.directory / "kafka" / "secure" / file)})
    request = otlp.logs("refused", [otlp.record(time.time_ns(), "text")]).SerializeToString()
    with Sink() as sink, tiers_to_sink(tmp_path, between, sink, settings, parts=("agent",)) as stack:
        url = f"{stack.otlp_http}/v1/logs"
        with pytest.raises(urllib3.exceptions.HTTPError, match="Read timed out"):
            urllib3.request("POST", url, body=request, headers=PROTOBUF, retries=False, timeout=2)
        assert re.search(said, stack.log("agent"))
    assert sum(ends(between)) == 0


# --- the page --------------------------------------------------------------------------------------------------


@contextmanager
def started(tier: str, folder: Path, ports: Ports, settings: Mapping[str, str]) -> Iterator[None]:
    """Run the page's command for a tier until the end of the block, and stop it as an operator would."""
    folder.mkdir(exist_ok=True)
    environment = SERVERS[tier](Path(), folder, ports).environment | dict(settings) | {"PATH": commands()}
    script = f"cd {TREE}\n{page_block(f'collector/{tier}.yaml')}".replace("\notelcol ", "\nexec otelcol ")
    process = Process(["bash", "-euc", script], environment, folder / f"{tier}.log")
    try:
        eventually(lambda: answers_ok(url(ports[f"{tier}_health"])), within=30)
        yield
    finally:
        process.signal(signal.SIGTERM)
        process.wait(10)


def test_the_commands_of_the_page_set_it_up_and_replay_from_a_time(broker: Stack, tmp_path: Path) -> None:
    address, begin = f"127.0.0.1:{broker.kafka_port}", datetime.now(UTC)
    own = {"BROKERS": address, "REPLICAS": "1", "IN_SYNC": "1", "SINCE": begin.strftime("%Y-%m-%dT%H:%M:%S.000")}
    run_shell(page_block("kafka-topics.sh"), TREE, own)
    with closing(Ports()) as ports, Sink() as sink:
        settings = {"BROKERS": address, "COLLECTOR_LOGS_ENDPOINT": sink.url}
        with started("agent", tmp_path / "agent", ports, settings):
            sent = Sender(url(ports["otlp_http"]))
            sent.some(20)
        assert sum(end_offsets(broker.kafka_port, "otlp_logs", 12)) == 20
        with started("gateway", tmp_path / "gateway", ports, settings):
            sink.wait(lambda: arrived(sink) == Counter(sent.texts), within=30)
            eventually(lambda: read_by("synapse-otel", broker) == 20)
        run_shell(page_block("--reset-offsets"), TREE, own)
        assert lag(own) == 20
        with started("gateway", tmp_path / "gateway", ports, settings):
            sink.wait(lambda: arrived(sink) == Counter([*sent.texts] * 2), within=30)


def read_by(group: str, broker: Stack) -> int:
    """Return how many messages of the page's topic for logs a group has committed."""
    return sum(max(offset, 0) for offset in committed_offsets(broker.kafka_port, group, "otlp_logs", 12))


def lag(own: Mapping[str, str]) -> int:
    """Return what waits for the gateways, as the page's command shows it."""
    lines = [line.split() for line in run_shell(page_block("--describe"), TREE, own).splitlines() if "otlp_" in line]
    return sum(int(line[5]) for line in lines if line[5] != "-")
