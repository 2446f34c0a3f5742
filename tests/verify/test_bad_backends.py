"""A backend that is away, slow, answers partly or with another run's data: one clear line, an exit code of its own."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from synapse_otel.journal.folder import run_folders
from tests.faults.running import Place
from tests.verify.conftest import JOB, Recorder

LOGS, METRICS, SPANS = "/select/logsql/query", "/api/v1/query", "/api/traces/"
Answer = Callable[[BaseHTTPRequestHandler], None]


class Backend(ThreadingHTTPServer):
    """A server that answers one path as a test wants, and 503 to all others."""

    daemon_threads = True
    answers: tuple[str, Answer] = "", lambda _: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        assert isinstance(self.server, Backend)
        path, answer = self.server.answers
        if urlsplit(self.path).path.startswith(path):
            answer(self)
        else:
            body(b"starting", status=503)(self)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def body(data: bytes, *, status: int = 200, length: int | None = None) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(data) if length is None else length))
        request.end_headers()
        request.wfile.write(data)

    return answer


def slow(request: BaseHTTPRequestHandler) -> None:
    time.sleep(3)
    body(b"")(request)


def matrix(*series: dict[str, str], **others: Any) -> bytes:
    result = [{"metric": one, "values": [[1.0, "1"]]} for one in series]
    found = {"status": "success", "data": {"resultType": "matrix", "result": result}, **others}
    return json.dumps(found).encode()


ROW = b'{"_time":"2026-01-01T00:00:00Z","log.record.uid":"another-0","severity_number":"9"}\n'
SPAN = b'{"data":[{"spans":[{"traceID":"ab","spanID":"cd","startTime":1,"duration":1}]}]}'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run that was not sent."""
    place = Place(tmp_path_factory.mktemp("journals"), variables={"SYNAPSE_OTEL_SHIPPER": "off"})
    assert place.run("good", 0, program=JOB).code == 0
    (found,) = run_folders(place.root)
    return found


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def recorder(folder: Path, backend: Backend) -> Recorder:
    names = ("VERIFY_LOGS_URL", "VERIFY_PROMETHEUS_URL", "JAEGER_URL")
    place = Place(folder.parent, variables={f"SYNAPSE_OTEL_{name}": backend.url for name in names})
    return Recorder(place, None)  # type: ignore[arg-type] # no server of the stack is asked


@pytest.mark.parametrize(
    "case",
    [
        ("logs", LOGS, slow, "the log store at * did not answer within 0.5 s; SYNAPSE_OTEL_VERIFY_LOGS_URL sets its"),
        ("samples", METRICS, slow, "Prometheus at * did not answer within 0.5 s; SYNAPSE_OTEL_VERIFY_PROMETHEUS_URL"),
        ("spans", SPANS, slow, "Jaeger at * did not answer within 0.5 s; SYNAPSE_OTEL_JAEGER_URL sets its address"),
        ("logs", LOGS, body(b"too many\nqueries", status=429), "answered 429: too many queries"),
        ("logs", LOGS, body(ROW[:40]), "answered only partly, or not in JSON"),
        ("logs", LOGS, body(b"", length=100), "answered only partly: it broke off after 0 bytes"),
        ("logs", LOGS, body(b"<html>log in</html>"), "answered only partly, or not in JSON: '<html>log in</html>'"),
        ("logs", LOGS, body(ROW), "answered with a record of another run, another-0"),
        ("samples", METRICS, body(matrix()[:20]), "answered only partly, or not in JSON"),
        (
            "samples",
            METRICS,
            body(matrix(), length=1000),
            f"answered only partly: it broke off after {len(matrix())} bytes",
        ),
        ("samples", METRICS, body(matrix(warnings=["a store is away"])), "answered only partly: a store is away"),
        ("samples", METRICS, body(matrix({"instance": "another"})), "answered with another run's series"),
        ("progress", METRICS, body(matrix({"instance": "another"})), "answered with another run's series"),
        ("spans", SPANS, body(SPAN[:30]), "answered only partly, or not in JSON"),
        ("spans", SPANS, body(SPAN), "answered with a span of another trace, ab"),
    ],
)
def test_what_is_wrong_with_a_backend_is_said(
    recorder: Recorder, backend: Backend, folder: Path, case: tuple[str, str, Answer, str]
) -> None:
    signal, path, answer, said = case
    before = {one: one.read_bytes() for one in folder.iterdir()}
    backend.answers = path, answer
    report = recorder.verify(folder, code=4, SYNAPSE_OTEL_VERIFY_TIMEOUT="0.5")
    assert said in report["signals"][signal]["error"].replace(backend.url, "*")
    others = {name: one["error"] for name, one in report["signals"].items() if name != signal}
    assert all(others.values())
    assert not report["verified"]
    assert {one: one.read_bytes() for one in folder.iterdir()} == before, "the journal is only read"


def test_a_backend_that_is_away_keeps_no_other_from_being_asked(recorder: Recorder, backend: Backend, folder: Path):
    backend.answers = SPANS, body(b'{"data":[]}')
    ended = recorder.command("verify", str(folder), SYNAPSE_OTEL_VERIFY_LOGS_URL="http://127.0.0.1:9")
    assert ended.returncode == 1, "spans are missing, whatever the others say"
    assert "not verified: the log store at http://127.0.0.1:9 could not be asked: " in ended.stdout
    assert "Connection refused" in ended.stdout
    assert "missing: " in ended.stdout
    assert ended.stderr == ""


def test_a_password_in_an_address_is_sent_and_not_shown(recorder: Recorder, backend: Backend, folder: Path):
    seen: list[str | None] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        seen.append(request.headers["Authorization"])
        body(b"who are you?", status=401)(request)

    backend.answers = LOGS, answer
    url = backend.url.replace("://", "://me:s%40cret@")
    ended = recorder.command("verify", str(folder), SYNAPSE_OTEL_VERIFY_LOGS_URL=url)
    assert ended.returncode == 4
    assert seen == ["Basic bWU6c0BjcmV0"]
    assert "cret" not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "soon"], "synapse-otel: --since soon: a number and a unit, such as 30m, 24h or 7d\n"),
        (["--since", "24h", "run"], "synapse-otel: either RUN or --since, not both\n"),
        (["no such run"], "synapse-otel: there is no run 'no such run'; the runs are "),
    ],
)
def test_mistakes_in_the_arguments(recorder: Recorder, arguments: list[str], said: str) -> None:
    ended = recorder.command("verify", *arguments)
    assert ended.returncode == 2
    assert ended.stderr.startswith(said)
    assert ended.stderr.count("\n") == 1


def test_a_run_that_cannot_be_read_keeps_no_other_from_being_verified(recorder: Recorder, folder: Path, tmp_path: Path):
    recorder.place.root = tmp_path / "journals"
    shutil.copytree(folder, recorder.place.root / folder.name)
    broken = recorder.place.root / "broken"
    shutil.copytree(folder, broken)
    (broken / "run.json").write_bytes((folder / "run.json").read_bytes().replace(b'"journal":"', b'"journal":"0'))
    for segment in broken.glob("*.segment"):
        segment.unlink()
        segment.mkdir()
    ended = recorder.command("verify", "--since", "1h")
    assert ended.returncode == 4
    assert "broken  logs not verified (broken cannot be read: Is a directory)" in ended.stdout
    assert f"{folder.name}  logs not verified (the log store at " in ended.stdout
    assert ended.stderr == ""


def test_a_wrong_address(recorder: Recorder, folder: Path) -> None:
    ended = recorder.command("verify", str(folder), SYNAPSE_OTEL_VERIFY_PROMETHEUS_URL="localhost:9090")
    assert ended.returncode == 2
    assert "SYNAPSE_OTEL_VERIFY_PROMETHEUS_URL" in ended.stderr
