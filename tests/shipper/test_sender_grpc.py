"""Sending over gRPC to real servers on loopback, good ones and bad ones."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time

import grpc
import pytest
import trustme
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs

from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.otlp.grpc_sender import METHODS, SURELY_TAKEN_BYTES, GrpcSender
from synapse_otel.otlp.http_sender import HttpSender
from synapse_otel.otlp.outcome import Accepted, Invalid, Refused, Retry, TooLarge
from synapse_otel.otlp.senders import open_sender
from synapse_otel.semconv.signal import Signal
from tests.sink import ACCEPT, HANG, Answer, partial
from tests.sink_grpc import GrpcSink, failure


def request(size=1000):
    return ExportLogsServiceRequest(resource_logs=[ResourceLogs(schema_url="x" * size)]).SerializeToString()


BODY = request()


def sender(url, signal=Signal.LOGS, **settings):
    endpoint = Endpoint(url=url, protocol="grpc", **{"timeout_seconds": 5.0, **settings})
    return contextlib.closing(GrpcSender(Destination(logs=endpoint, metrics=endpoint, traces=endpoint), signal))


@pytest.fixture
def sink():
    with GrpcSink() as running:
        yield running


def test_the_protocol_of_an_endpoint_says_which_sender_there_is():
    http, over_grpc = Endpoint(url="http://a"), Endpoint(url="a:1", protocol="grpc")
    destination = Destination(logs=over_grpc, metrics=http, traces=http)
    assert isinstance(open_sender(destination, Signal.LOGS), GrpcSender)
    assert isinstance(open_sender(destination, Signal.METRICS), HttpSender)


@pytest.mark.parametrize("signal", Signal)
def test_a_request_arrives_at_the_service_of_its_signal(sink, signal):
    with sender(sink.url, signal, headers={"X-Tenant": "a", "data-bin": "b", "te": "no", "grpc-x": "no"}) as to:
        assert to.send(BODY) == Accepted()
    [found] = sink.requests
    assert found.path == {"LOGS": "/v1/logs", "METRICS": "/v1/metrics", "TRACES": "/v1/traces"}[signal.name]
    assert found.message.resource_logs[0].schema_url == "x" * 1000 if signal is Signal.LOGS else True
    assert (found.headers["x-tenant"], found.headers["data-bin"]) == ("a", b"b")
    assert found.headers["user-agent"].startswith("synapse-otel/")
    assert "grpc-x" not in found.headers


def test_the_methods_are_those_of_opentelemetrys_own_stubs():
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

    class Channel:
        def unary_unary(self, method, **_):
            self.method = method

    for signal, stub in zip(Signal, (LogsServiceStub, MetricsServiceStub, TraceServiceStub), strict=True):
        stub(channel := Channel())
        assert METHODS[signal] == channel.method


def test_a_user_name_in_the_url_is_basic_authentication_and_a_user_agent_is_the_users(sink):
    with sender(f"http://me:p%40ss@127.0.0.1:{sink.port}/ignored", headers={"User-Agent": "mine"}) as to:
        assert to.send(BODY) == Accepted()
    assert sink.requests[0].headers["authorization"] == "Basic bWU6cEBzcw=="
    assert sink.requests[0].headers["user-agent"].startswith("mine ")


@contextlib.contextmanager
def relay(port):
    """Counts the bytes on their way to a port."""
    listener, sent = socket.create_server(("127.0.0.1", 0)), []

    def pump(source, target, count):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if count:
                    sent.append(len(data))
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def serve():
        with contextlib.suppress(OSError):
            client, _ = listener.accept()
            with client, socket.create_connection(("127.0.0.1", port)) as server:
                back = threading.Thread(target=pump, args=(server, client, False))
                back.start()
                pump(client, server, True)
                back.join()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], sent
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.mark.parametrize(("compression", "small"), [("none", False), ("gzip", True)])
def test_gzip_is_used_when_asked_for(sink, compression, small):
    with relay(sink.port) as (port, sent):
        with sender(f"http://127.0.0.1:{port}", compression=compression) as to:
            assert to.send(request(500_000)) == Accepted()
        assert (sum(sent) < 50_000) is small
    assert len(sink.requests[0].message.resource_logs[0].schema_url) == 500_000


def test_a_partial_success_is_counted(sink):
    sink.answer = lambda request: partial(request.path, 3, "too old")
    with sender(sink.url) as to:
        assert to.send(BODY) == Accepted(3, "too old")
        sink.answer = lambda request: partial(request.path, 0)
        assert to.send(BODY) == Accepted()


def test_an_answer_that_is_no_response_is_no_success(sink):
    sink.answer = lambda _: Answer(200, b"garbage")
    with sender(sink.url) as to:
        assert to.send(BODY) == Retry("answered OK with a message that is not an OTLP response", status=200)


def test_an_answer_that_is_too_large_is_no_success(sink):
    sink.answer = lambda _: Answer(200, b"x" * (2 << 20))
    with sender(sink.url) as to:
        found = to.send(BODY)
    assert isinstance(found, Retry)
    assert "larger than max" in found.reason


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (failure("UNAVAILABLE", "busy"), Retry("answered UNAVAILABLE: busy", None, 503)),
        (failure("UNAVAILABLE", "busy", 2.5), Retry("answered UNAVAILABLE: busy", 2.5, 503)),
        (failure("RESOURCE_EXHAUSTED", "quota", 3.0), Retry("answered RESOURCE_EXHAUSTED: quota", 3.0, 429)),
        (failure("RESOURCE_EXHAUSTED", "quota"), Retry("answered RESOURCE_EXHAUSTED: quota", None, 429)),
        (failure("INVALID_ARGUMENT", "bad"), Invalid("answered INVALID_ARGUMENT: bad")),
        (failure("UNAUTHENTICATED", "who?"), Refused("answered UNAUTHENTICATED: who?")),
        (failure("DATA_LOSS", details=b"garbage"), Retry("answered DATA_LOSS", None, 500)),
    ],
    ids=lambda value: str(value) if isinstance(value, Answer) else "",
)
def test_a_status_and_its_details_come_through(sink, answer, meaning):
    sink.answer = lambda _: answer
    with sender(sink.url) as to:
        assert to.send(BODY) == meaning
        sink.answer = lambda _: ACCEPT
        assert to.send(BODY) == Accepted()


def test_a_server_says_that_a_request_is_too_large():
    with GrpcSink(options=(("grpc.max_receive_message_length", 2000),)) as sink, sender(sink.url) as to:
        assert to.send(request(1900)) == Accepted()
        assert isinstance(to.send(request(2000)), TooLarge)
        assert to.send(request(1900)) == Accepted()


def test_a_server_that_only_says_resource_exhausted_is_asked_with_less_until_more_was_taken(sink):
    sink.answer = lambda request: failure("RESOURCE_EXHAUSTED", "no") if request.size > SURELY_TAKEN_BYTES else ACCEPT
    large = request(2 * SURELY_TAKEN_BYTES)
    exhausted = "answered RESOURCE_EXHAUSTED: no"
    with sender(sink.url) as to:
        doubtful = to.send(large)
        assert doubtful == TooLarge(exhausted, certain=False)
        assert doubtful.alone() == Retry(exhausted, None, 413), "a record is not set aside for it"
        sink.answer = lambda _: ACCEPT
        assert to.send(large) == Accepted()
        sink.answer = lambda _: failure("RESOURCE_EXHAUSTED", "no")
        assert to.send(large) == Retry(exhausted, None, 429), "as much was taken before"
        assert to.send(BODY) == Retry(exhausted, None, 429), "too little to be too much"


def test_a_server_that_is_away_and_comes_back(sink):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with sender(f"http://127.0.0.1:{port}") as to:
        for _ in range(2):
            found = to.send(BODY)
            assert found.reason.startswith(f"no connection to 127.0.0.1:{port}: ")
            assert "refused" in found.reason
            assert (found.status, found.reached) == (0, False)
        with GrpcSink(address=f"127.0.0.1:{port}"):
            assert to.send(BODY) == Accepted(), "at once: gRPC's own wait after a failure is forgotten"


def test_a_name_that_nobody_has():
    with sender("nobody.invalid:4317", insecure=True) as to:
        found = to.send(BODY)
    assert found.reason.startswith("no connection to nobody.invalid:4317: ")
    assert not found.reached


def test_a_server_that_never_answers_is_left_in_time(sink):
    sink.answer = lambda _: HANG
    with sender(sink.url, timeout_seconds=0.3) as to:
        begin = time.monotonic()
        assert to.send(BODY) == Retry(f"no answer from 127.0.0.1:{sink.port} within 0.3 s")
        assert time.monotonic() - begin < 3


@pytest.mark.parametrize(
    "content", [b"", b"HTTP/1.1 404 Not Found\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n", b"\x00" * 9000]
)
def test_a_server_that_does_not_speak_grpc(content):
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(1000)
                    connection.sendall(content)

    thread = threading.Thread(target=serve)
    thread.start()
    with sender(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_seconds=2.0) as to:
        found = to.send(BODY)
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    assert isinstance(found, Retry)
    assert found.reason.isprintable()
    assert not found.reached


@pytest.mark.parametrize("spelling", ["unix:{}", "unix://{}"])
def test_a_unix_socket(tmp_path, spelling):
    path = tmp_path / "otel.sock"
    with GrpcSink(address=f"unix:{path}") as sink, sender(spelling.format(path), insecure=True) as to:
        assert to.send(BODY) == Accepted()
    assert len(sink.requests) == 1


def test_a_proxy_is_asked_but_not_for_loopback():
    asked = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    asked.append(connection.recv(1000))
                    connection.sendall(b"HTTP/1.1 403 No\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    through = f"http://me:secret@127.0.0.1:{listener.getsockname()[1]}"
    with sender("http://collector.invalid:4317", proxy=through) as to:
        found = to.send(BODY)
    with sender("http://127.0.0.1:1", proxy=through) as to:
        assert isinstance(to.send(BODY), Retry)
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    assert isinstance(found, Retry)
    assert "secret" not in found.reason
    [connect] = asked
    assert connect.startswith(b"CONNECT collector.invalid:4317 ")
    assert b"bWU6c2VjcmV0" in connect


def test_a_proxy_of_the_environment_is_none_that_was_chosen(sink, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("grpc_proxy", "http://127.0.0.1:1")
    with sender(sink.url) as to:
        assert to.send(BODY) == Accepted()


# --- TLS -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    client = authority.issue_cert("client@example.org")
    stranger = trustme.CA().issue_cert("client@example.org")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    client.cert_chain_pems[0].write_to_path(folder / "client.pem")
    client.private_key_pem.write_to_path(folder / "client.key")
    client.private_key_and_cert_chain_pem.write_to_path(folder / "both.pem")
    stranger.private_key_and_cert_chain_pem.write_to_path(folder / "stranger.pem")
    return {path.name: str(path) for path in folder.iterdir()}


def server_tls(authority, name="127.0.0.1", *, mutual=False):
    certificate = authority.issue_cert(name)
    pair = certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes()
    return grpc.ssl_server_credentials([pair], authority.cert_pem.bytes() if mutual else None, mutual)


def test_tls_with_an_authority_of_our_own(authority, files):
    with GrpcSink(credentials=server_tls(authority)) as sink:
        with sender(sink.url, certificate=files["ca.pem"]) as to:
            assert [to.send(BODY), to.send(BODY)] == [Accepted(), Accepted()]
        with sender(f"127.0.0.1:{sink.port}", certificate=files["ca.pem"]) as to:
            assert to.send(BODY) == Accepted(), "TLS too, where nothing says otherwise"
        with sender(f"127.0.0.1:{sink.port}", insecure=True) as to:
            assert isinstance(to.send(BODY), Retry)


def test_without_an_authority_those_of_the_system_are_trusted(authority, files, monkeypatch):
    monkeypatch.delenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", raising=False)  # gRPC's own variable would win
    monkeypatch.setenv("SSL_CERT_FILE", files["ca.pem"])
    with GrpcSink(credentials=server_tls(authority)) as sink, sender(sink.url) as to:
        assert to.send(BODY) == Accepted()


def test_the_scheme_says_more_than_insecure(authority, files, sink):
    secure = GrpcSink(credentials=server_tls(authority))
    with secure, sender(secure.url, certificate=files["ca.pem"], insecure=True) as to:
        assert to.send(BODY) == Accepted()
    with sender(sink.url, insecure=False) as to:
        assert to.send(BODY) == Accepted()


@pytest.mark.parametrize(("name", "trusted"), [("example.org", True), ("127.0.0.1", False)])
def test_a_certificate_that_cannot_be_trusted(authority, files, name, trusted):
    settings = {"certificate": files["ca.pem"]} if trusted else {}
    with GrpcSink(credentials=server_tls(authority, name)) as sink, sender(sink.url, **settings) as to:
        found = to.send(BODY)
    assert found.reason.startswith(f"no connection to 127.0.0.1:{sink.port}: ")
    assert "verif" in found.reason.lower()
    assert (sink.requests, found.reached) == ([], False)


@pytest.mark.parametrize("own", [("client.pem", "client.key"), ("both.pem", None)])
def test_mutual_tls(authority, files, own):
    certificate, key = (files.get(name) for name in own)
    with GrpcSink(credentials=server_tls(authority, mutual=True)) as sink:
        shown = {"client_certificate": certificate, "client_key": key}
        with sender(sink.url, certificate=files["ca.pem"], **shown) as to:
            assert to.send(BODY) == Accepted()
        for wrong in ({}, {"client_certificate": files["stranger.pem"]}):
            with sender(sink.url, certificate=files["ca.pem"], **wrong) as to:
                assert isinstance(to.send(BODY), Retry)
    assert len(sink.requests) == 1


def test_files_that_cannot_be_used_are_named_and_read_again_when_they_are_there(authority, tmp_path):
    certificate = tmp_path / "ca.pem"
    with GrpcSink(credentials=server_tls(authority)) as sink, sender(sink.url, certificate=str(certificate)) as to:
        missing = f"cannot read {certificate}: No such file or directory"
        assert to.send(BODY) == Retry(missing, reached=False)
        certificate.write_text("garbage")
        assert to.send(BODY).reason.startswith(f"TLS with 127.0.0.1:{sink.port}: ")
        trustme.CA().cert_pem.write_to_path(certificate)
        assert isinstance(to.send(BODY), Retry)
        authority.cert_pem.write_to_path(certificate)
        assert to.send(BODY) == Accepted()


# --- processes -------------------------------------------------------------------------------------------

FORKING = """
import os, sys
from synapse_otel.semconv.signal import Signal
from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.otlp.grpc_sender import GrpcSender

endpoint = Endpoint(url=sys.argv[1], protocol="grpc")
destination = Destination(logs=endpoint, metrics=endpoint, traces=endpoint)
to = GrpcSender(destination, Signal.LOGS)
if sys.argv[2] == "only":
    to.send(b"")
    sys.exit()
if sys.argv[2] == "used":
    print(to.send(b""), flush=True)
if pid := os.fork():
    os.waitpid(pid, 0)
    print(to.send(b""), flush=True)
else:
    mine = GrpcSender(destination, Signal.LOGS)
    print(mine.send(b""), flush=True)
    mine.close()
    to.close()
"""


def forking(url, mode):
    command = [sys.executable, "-c", FORKING, url, mode]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=dict(os.environ))


def test_what_is_forked_from_a_process_that_uses_grpc_keeps_what_it_has_and_does_not_hang(sink):
    before, child, parent = forking(sink.url, "used").stdout.splitlines()
    assert (before, parent) == (str(Accepted()), str(Accepted()))
    assert "gRPC cannot be used in a process that was forked" in child
    assert len(sink.requests) == 2


def test_what_is_forked_before_grpc_is_used_may_use_it(sink):
    assert forking(sink.url, "unused").stdout.splitlines() == [str(Accepted())] * 2


def test_grpc_says_nothing_on_the_stderr_of_a_job(authority):
    with GrpcSink(credentials=server_tls(authority)) as sink:
        ended = forking(sink.url, "only")
    assert (ended.stdout, ended.stderr) == ("", "")


def test_grpc_is_loaded_only_where_it_is_asked_for():
    program = "import sys, synapse_otel.shipper.process; print('grpc' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert found.stdout == "False\n"
