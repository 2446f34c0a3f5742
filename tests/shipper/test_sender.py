"""Sending to real servers on loopback, good ones and bad ones."""

import contextlib
import gc
import gzip
import http.server
import socket
import ssl
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.otlp.http_responses import LARGEST_ANSWER
from synapse_otel.otlp.http_sender import HttpSender
from synapse_otel.otlp.outcome import Accepted, Invalid, Refused, Retry, TooLarge
from synapse_otel.semconv.signal import Signal
from tests.eventually import eventually

BODY = b"request" * 1000


class Server(http.server.ThreadingHTTPServer):
    """Gives the answers of a list, one after the other, and the last again and again; keeps what it was sent."""

    daemon_threads = False

    def __init__(self, *answers, tls=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = list(answers) or [(200, {}, b"")]
        self.requests = []
        self.connections = 0
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request, client_address):
        """Say nothing: a client that refuses the certificate is no error here."""

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
        self.thread.join()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5

    def setup(self):
        super().setup()
        self.server.connections += 1

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        answers = self.server.answers
        status, headers, content = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def speaking(talk):
    """A server that does with each connection what ``talk`` does, and closes it; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                talk(connection, over)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def sender(port, *, scheme="http", host="127.0.0.1", **settings):
    endpoint = Endpoint(url=f"{scheme}://{host}:{port}/v1/logs", **{"timeout_seconds": 5.0, **settings})
    return contextlib.closing(HttpSender(Destination(logs=endpoint, metrics=endpoint, traces=endpoint), Signal.LOGS))


def answering(content):
    def talk(connection, _):
        connection.recv(1 << 20)
        connection.sendall(content)

    return talk


def test_a_request_arrives_as_the_specification_wants_it():
    with Server() as server, sender(server.server_port, headers={"X-Tenant": "a", "content-type": "b"}) as to:
        assert to.send(BODY) == Accepted()
    ((path, headers, body),) = server.requests
    assert (path, body) == ("/v1/logs", BODY)
    assert headers["Content-Type"] == "application/x-protobuf"
    assert headers["X-Tenant"] == "a"
    assert headers["User-Agent"].startswith("synapse-otel/")
    assert "content-type" not in headers
    assert "Content-Encoding" not in headers


def test_gzip_is_used_when_asked_for():
    with Server() as server, sender(server.server_port, compression="gzip") as to:
        assert to.send(BODY) == Accepted()
    ((_, headers, body),) = server.requests
    assert headers["Content-Encoding"] == "gzip"
    assert (gzip.decompress(body), len(body) < len(BODY)) == (BODY, True)


def test_a_user_name_in_the_url_is_basic_authentication():
    with Server() as server, sender(server.server_port, host="me:p%40ss@127.0.0.1") as to:
        assert to.send(BODY) == Accepted()
    assert server.requests[0][1]["Authorization"] == "Basic bWU6cEBzcw=="


def test_a_header_of_the_users_stands_instead_of_ours():
    own = {"user-agent": "mine", "authorization": "Bearer x"}
    with Server() as server, sender(server.server_port, host="me:pass@127.0.0.1", headers=own) as to:
        assert to.send(BODY) == Accepted()
    headers = {name.lower(): value for name, value in server.requests[0][1].items()}
    assert own.items() <= headers.items()
    assert len(headers) == len(server.requests[0][1]), "each once"


@pytest.mark.parametrize(("path", "asked"), [("", "/"), ("/", "/"), ("/v1/logs/", "/v1/logs/"), ("/a?b=c", "/a?b=c")])
def test_an_address_is_taken_as_it_is_and_without_a_path_it_is_the_root(path, asked):
    with Server() as server:
        endpoint = Endpoint(url=f"http://127.0.0.1:{server.server_port}{path}")
        with contextlib.closing(
            HttpSender(Destination(logs=endpoint, metrics=endpoint, traces=endpoint), Signal.LOGS)
        ) as to:
            assert to.send(BODY) == Accepted()
    assert server.requests[0][0] == asked


def test_one_connection_is_used_for_many_requests_whatever_is_answered():
    answers = [(200, {}, b""), (400, {"Content-Type": "text/plain"}, b"no"), (503, {"Retry-After": "3"}, b"busy")]
    with Server(*answers, (200, {}, b"\x0a\x00")) as server, sender(server.server_port) as to:
        assert [to.send(BODY) for _ in range(4)] == [
            Accepted(),
            Invalid("answered 400: no"),
            Retry("answered 503: busy", 3.0, 503),
            Accepted(),
        ]
    assert server.connections == 1


def test_a_redirect_is_not_followed():
    with Server((302, {"Location": "http://127.0.0.1:1/"}, b"")) as server, sender(server.server_port) as to:
        assert to.send(BODY) == Refused("answered 302, a redirect to http://127.0.0.1:1/")
    assert len(server.requests) == 1


def test_a_server_that_goes_away_is_said_to_refuse():
    with Server() as server, sender(server.server_port) as to:
        assert to.send(BODY) == Accepted()
    assert to.send(BODY) == Retry(f"connection refused by 127.0.0.1:{server.server_port}", reached=False)


def test_a_connection_that_the_server_closed_meanwhile_is_no_failure():
    silently_closed = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    with speaking(silently_closed) as port, sender(port) as to:
        assert to.send(BODY) == Accepted()
        time.sleep(0.2)
        assert to.send(BODY) == Accepted()


def test_a_request_that_failed_is_not_kept_in_memory():
    body = b"x" * 1000 + bytes(1)
    references = sys.getrefcount(body)
    gc.disable()  # what only the collector frees is a megabyte a failure, until it comes
    try:
        with sender(1) as to:
            assert isinstance(to.send(body), Retry)
    finally:
        gc.enable()
    assert sys.getrefcount(body) == references


def test_a_name_that_nobody_has():
    with sender(4318, host="nobody.invalid") as to:
        assert to.send(BODY) == Retry("the name of nobody.invalid:4318 cannot be resolved", reached=False)


def test_a_large_answer_is_not_read_to_its_end():
    too_much = (200, {"Content-Type": "application/x-protobuf"}, b"x" * (LARGEST_ANSWER + 1))
    with Server(too_much) as server, sender(server.server_port) as to:
        assert to.send(BODY) == Retry(f"127.0.0.1:{server.server_port}: answered more than {LARGEST_ANSWER} bytes")


def test_a_compressed_answer_is_read_and_a_bomb_is_not():
    bomb = gzip.compress(b"x" * (50 * LARGEST_ANSWER))
    kind = {"Content-Type": "text/plain", "Content-Encoding": "gzip"}
    with Server((400, kind, gzip.compress(b"bad")), (400, kind, bomb)) as server, sender(server.server_port) as to:
        assert to.send(BODY) == Invalid("answered 400: bad")
        assert to.send(BODY) == Retry(f"127.0.0.1:{server.server_port}: answered more than {LARGEST_ANSWER} bytes")


def test_too_large_for_a_server_that_reads_no_further():
    def talk(connection, _):
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        while connection.recv(1 << 20):
            pass

    with speaking(talk) as port, sender(port) as to:
        assert to.send(b"x" * (4 << 20)) == TooLarge("answered 413")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nhalf",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Header: value\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\ngarbage",
    ],
)
def test_a_broken_answer_is_none(content):
    with speaking(answering(content)) as port, sender(port) as to:
        outcome = to.send(BODY)
    assert isinstance(outcome, Retry)
    assert outcome.reason.isprintable()
    assert len(outcome.reason) < 300


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
def test_a_server_that_never_answers_is_left_in_time(said):
    def talk(connection, over):
        connection.sendall(said)
        over.wait()

    with speaking(talk) as port, sender(port, timeout_seconds=0.3) as to:
        begin = time.monotonic()
        assert to.send(BODY) == Retry(f"no answer from 127.0.0.1:{port} within 0.3 s")
        assert time.monotonic() - begin < 3


def test_a_server_that_reads_nothing_is_left_in_time():
    def talk(_, over):
        over.wait()

    with speaking(talk) as port, sender(port, timeout_seconds=0.4) as to:
        begin = time.monotonic()
        assert to.send(b"x" * (32 << 20)) == Retry(f"127.0.0.1:{port} did not accept the whole request within 0.4 s")
        assert time.monotonic() - begin < 3


def test_a_server_that_answers_in_drops_is_left_in_time():
    def talk(connection, over):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not over.wait(0.05):
            connection.sendall(b"x")

    with speaking(talk) as port, sender(port, timeout_seconds=0.4) as to:
        begin = time.monotonic()
        assert to.send(BODY) == Retry(f"no answer from 127.0.0.1:{port} within 0.4 s")
        assert time.monotonic() - begin < 3


def test_a_proxy_is_asked_but_not_for_loopback():
    with Server() as proxy:
        through = f"http://me:secret@127.0.0.1:{proxy.server_port}"
        with sender(4318, host="collector.invalid", proxy=through) as to:
            assert to.send(BODY) == Accepted()
        for host in ("127.0.0.1", "localhost", "[::1]"):
            with sender(1, host=host, proxy=through) as to:
                assert isinstance(to.send(BODY), Retry)
    ((path, headers, _),) = proxy.requests
    assert path == "http://collector.invalid:4318/v1/logs"
    assert "Basic bWU6c2VjcmV0" in headers.values()


def test_over_tls_a_proxy_is_asked_to_connect():
    asked = []

    def talk(connection, _):
        asked.append(connection.recv(1000))
        connection.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")

    with speaking(talk) as port:
        proxy = f"http://me:secret@127.0.0.1:{port}"
        with sender(4318, scheme="https", host="collector.invalid", proxy=proxy) as to:
            found = to.send(BODY)
    assert asked[0].startswith(b"CONNECT collector.invalid:4318 ")
    assert b"bWU6c2VjcmV0" in asked[0]
    assert found.reason.startswith(f"proxy 127.0.0.1:{port}: ")


def test_a_proxy_that_is_not_there():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    for scheme in ("http", "https"):
        with sender(4318, scheme=scheme, host="collector.invalid", proxy=f"http://127.0.0.1:{port}") as to:
            outcome = to.send(BODY)
        assert isinstance(outcome, Retry)
        assert f"proxy 127.0.0.1:{port}" in outcome.reason


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority, tmp_path_factory):
    """Names of a folder's files: the authority's certificate, and a client's certificate and key."""
    folder = tmp_path_factory.mktemp("tls")
    client = authority.issue_cert("client@example.org")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    client.cert_chain_pems[0].write_to_path(folder / "client.pem")
    client.private_key_pem.write_to_path(folder / "client.key")
    return {name: str(folder / name) for name in ("ca.pem", "client.pem", "client.key")}


def server_tls(certificate, client_authority=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if client_authority:
        client_authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_tls_with_an_authority_of_our_own(authority, files):
    tls = server_tls(authority.issue_cert("127.0.0.1"))
    with Server(tls=tls) as server, sender(server.server_port, scheme="https", certificate=files["ca.pem"]) as to:
        assert [to.send(BODY), to.send(BODY)] == [Accepted(), Accepted()]
    assert server.connections == 1


@pytest.mark.parametrize(
    ("name", "end", "trusted", "reason"),
    [
        ("127.0.0.1", datetime(2020, 1, 1, tzinfo=UTC), True, "certificate has expired"),
        ("example.org", None, True, "IP address mismatch, certificate is not valid for '127.0.0.1'."),
        ("127.0.0.1", None, False, "unable to get local issuer certificate"),
    ],
)
def test_a_certificate_that_cannot_be_trusted(authority, files, *, name, end, trusted, reason):
    tls = server_tls(authority.issue_cert(name, not_before=end, not_after=end))
    settings = {"certificate": files["ca.pem"]} if trusted else {}
    with Server(tls=tls) as server, sender(server.server_port, scheme="https", **settings) as to:
        assert to.send(BODY) == Retry(f"TLS with 127.0.0.1:{server.server_port}: {reason}", reached=False)
    assert server.requests == []


def test_an_answer_before_the_request_was_read_is_heard_over_tls_too(authority, files):
    tls = server_tls(authority.issue_cert("127.0.0.1"))

    def talk(connection, _):
        with tls.wrap_socket(connection, server_side=True) as secure:
            secure.recv(100)
            secure.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with speaking(talk) as port, sender(port, scheme="https", certificate=files["ca.pem"]) as to:

        def is_heard() -> bool:
            """The network need not keep the answer each time: the server closes while more comes in."""
            found = to.send(b"x" * (8 << 20))
            assert found == TooLarge("answered 413") or found.reached
            return isinstance(found, TooLarge)

        eventually(is_heard)


def test_mutual_tls(authority, files):
    tls = server_tls(authority.issue_cert("127.0.0.1"), client_authority=authority)
    own = {"client_certificate": files["client.pem"], "client_key": files["client.key"]}
    with Server(tls=tls) as server:
        with sender(server.server_port, scheme="https", certificate=files["ca.pem"], **own) as to:
            assert to.send(BODY) == Accepted()
        with sender(server.server_port, scheme="https", certificate=files["ca.pem"]) as to:
            assert isinstance(to.send(BODY), Retry)
    assert len(server.requests) == 1


def test_an_encrypted_key_is_no_question_to_the_terminal(files, tmp_path):
    key = load_pem_private_key(Path(files["client.key"]).read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    own = {"client_certificate": files["client.pem"], "client_key": str(locked)}
    with sender(1, scheme="https", **own) as to:
        assert to.send(BODY).reason.startswith("TLS with 127.0.0.1:1: ")


def test_files_that_cannot_be_used_are_named_and_read_again_when_they_are_there(authority, tmp_path):
    certificate = tmp_path / "ca.pem"
    tls = server_tls(authority.issue_cert("127.0.0.1"))
    with Server(tls=tls) as server, sender(server.server_port, scheme="https", certificate=str(certificate)) as to:
        assert to.send(BODY) == Retry(f"cannot read {certificate}: No such file or directory", reached=False)
        certificate.write_text("garbage")
        assert "TLS with" in to.send(BODY).reason
        authority.cert_pem.write_to_path(certificate)
        assert to.send(BODY) == Accepted()


def test_a_renewed_authority_is_noticed(authority, tmp_path):
    certificate = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(certificate)
    tls = server_tls(authority.issue_cert("127.0.0.1"))
    with Server(tls=tls) as server, sender(server.server_port, scheme="https", certificate=str(certificate)) as to:
        assert isinstance(to.send(BODY), Retry)
        authority.cert_pem.write_to_path(certificate)
        assert to.send(BODY) == Accepted()


def test_plain_http_where_tls_is_spoken_and_the_other_way_round(authority, files):
    with Server(tls=server_tls(authority.issue_cert("127.0.0.1"))) as server, sender(server.server_port) as to:
        assert isinstance(to.send(BODY), Retry)
    with Server() as server, sender(server.server_port, scheme="https", certificate=files["ca.pem"]) as to:
        outcome = to.send(BODY)
    assert outcome.reason.startswith(f"TLS with 127.0.0.1:{server.server_port}: ")
