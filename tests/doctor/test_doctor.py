"""``synapse-otel doctor``: what is in the way is named, with what to do about it."""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from synapse_otel import semconv
from synapse_otel.cli.app import app
from synapse_otel.doctor import Level, examine
from synapse_otel.doctor.checks import journals as of_journals
from synapse_otel.notices import Check
from tests.runs.conftest import killed
from tests.runs.runs import command, run
from tests.sink import Answer, Sink, body, partial

__all__ = ["killed"]

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith(("OTEL_", "SYNAPSE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SYNAPSE_OTEL_JOURNAL_DIR", str(tmp_path / "journals"))
    monkeypatch.setattr(of_journals, "spare_roots", list)  # what other tests have left there is not looked at
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sink(monkeypatch):
    with Sink() as sink:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url)
        yield sink


def found(check, about="", **options):
    return [one for one in examine(**options) if one.check == check and about in one.about]


def test_one_asks_for_the_checks_that_one_wants(sink):
    assert {one.check for one in examine()} == set(Check)
    for check in Check:
        assert {one.check for one in examine([check])} == {check}
    ended = CliRunner().invoke(app, ["doctor", "journal", "endpoint"])
    assert {line.split()[1] for line in ended.output.splitlines()[:-2]} == {"journal:", "endpoint:"}
    ended = CliRunner().invoke(app, ["doctor", "journal"])
    assert ended.output.splitlines()[-1] == "no problem found by these checks"


def test_a_healthy_place(sink, place):
    every = list(examine())
    assert [one for one in every if one.level in {Level.WARNING, Level.FAILURE}] == []
    assert [(one.about, one.level) for one in every if one.check == "endpoint" and one.about != "clock"] == [
        ("logs", Level.OK),
        ("metrics", Level.OK),
        ("traces", Level.OK),
    ]
    [record] = sink.logs()
    assert (record.event_name, body(record)) == (semconv.PROBE, "synapse-otel doctor was here")
    [point] = sink.points(semconv.PROBE)
    assert point.value == 1.0
    [span] = sink.spans()
    assert span.name == semconv.PROBE
    assert not (place / "journals").exists(), "it looks, and makes nothing"


def test_nothing_is_sent_if_that_is_not_wanted(sink):
    assert found("endpoint", probe=False) == []
    assert sink.requests == []


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (Answer(401), "OTEL_EXPORTER_OTLP_HEADERS"),
        (Answer(403), "headers now: none"),
        (Answer(404), "is a path missing before /v1/logs"),
        (Answer(302, headers={"Location": "https://elsewhere.example/"}), "redirects are not followed"),
        (Answer(415), "does not accept protobuf"),
        (Answer(400, b"no", {"Content-Type": "text/plain"}), "does it receive this signal over OTLP"),
        (Answer(200, b"<html>", {"Content-Type": "text/html"}), "a proxy's login"),
        (Answer(503), "a proxy in front of it, fails"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Answer) else "",
)
def test_an_answer_has_its_advice(sink, answer, advice):
    sink.answer = lambda request: answer
    [logs] = found("endpoint", "logs")
    assert logs.level is Level.FAILURE
    assert str(answer.status) in logs.text
    assert advice in logs.advice


def test_a_rejected_record_is_a_failure_and_a_warning_is_one(sink):
    sink.answer = lambda request: partial(request.path, int(request.path == "/v1/logs"), "no such tenant")
    logs, metrics, _ = (one for one in found("endpoint") if one.about != "clock")
    assert (logs.level, metrics.level) == (Level.FAILURE, Level.WARNING)
    assert "no such tenant" in logs.text
    assert "no such tenant" in metrics.text


@contextmanager
def no_receiver():
    """Run a web server that knows none of the paths it is asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_error(404)

        do_GET = do_POST  # noqa: N815 - the name that the library asks for

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("variables", "advice"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://{address}/v1/logs"}, "leave out /v1/logs"),
        ({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://{address}"}, "usually ends with /v1/logs"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://{address}"}, "does not use TLS"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:{closed}"}, "nothing listens there"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:{closed}", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "nothing listens there",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://nowhere.invalid:4318"}, "is the host name right"),
    ],
    ids=["path twice", "path missing", "no TLS", "closed", "closed, gRPC", "no such host"],
)
def test_the_usual_wrong_addresses(monkeypatch, variables, advice):
    with no_receiver() as server, socket.socket() as closed:  # bound, and not listened on: nobody else gets the port
        closed.bind(("127.0.0.1", 0))
        for name, value in variables.items():
            known = {"address": f"127.0.0.1:{server.server_port}", "closed": closed.getsockname()[1]}
            monkeypatch.setenv(name, value.format(**known))
        [logs] = found("endpoint", "logs")
    assert logs.level is Level.FAILURE
    assert advice in logs.advice, logs.text


def test_a_port_of_another_protocol(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "200")
        [logs] = found("endpoint", "logs")
    assert "no answer" in logs.text
    assert "is the connection blocked" in logs.advice


@pytest.mark.parametrize(("ahead", "words"), [(-3600, "behind"), (3600, "ahead of")])
def test_a_clock_that_goes_wrong(sink, monkeypatch, ahead, words):
    ours = SimpleNamespace(time=lambda: time.time() + ahead, monotonic=time.monotonic)
    monkeypatch.setattr("synapse_otel.doctor.checks.endpoints.time", ours)  # the server, in this process, has the other
    [clock] = found("endpoint", "clock")
    assert clock.level is Level.WARNING
    assert words in clock.text
    assert 3590 < clock.facts["skew_seconds"] < 3610


def test_settings_tell_where_they_come_from(sink, place, monkeypatch):
    (place / "pyproject.toml").write_text("[tool.synapse_otel]\njournal_keep = true\n")
    monkeypatch.setenv("SYNAPSE_OTEL_HEADERS", "authorization=Bearer%20secret")
    monkeypatch.setenv("SYNAPSE_OTEL_JORNAL_KEEP", "1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUTS", "1")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    by_name = {one.about: one for one in found("settings")}
    assert by_name["SYNAPSE_OTEL_JOURNAL_KEEP"].text == f"True, from {place / 'pyproject.toml'}"
    assert "(SYNAPSE_OTEL_JOURNAL_DIR)" in by_name["SYNAPSE_OTEL_JOURNAL_DIR"].text
    assert by_name["SYNAPSE_OTEL_JORNAL_KEEP"].advice == "did you mean SYNAPSE_OTEL_JOURNAL_KEEP?"
    assert by_name["OTEL_EXPORTER_OTLP_TIMEOUTS"].advice == "did you mean OTEL_EXPORTER_OTLP_TIMEOUT?"
    assert by_name["OTEL_TRACES_EXPORTER"].level is Level.NOTE
    assert "secret" not in str(list(examine()))


def test_a_wrong_setting_is_a_failure_and_the_rest_is_not_tried(sink, monkeypatch):
    monkeypatch.setenv("SYNAPSE_OTEL_SHIPPER", "carrier pigeon")
    failures = [one for one in examine() if one.level is Level.FAILURE]
    assert [one.about for one in failures] == ["SYNAPSE_OTEL_SHIPPER"]
    assert "carrier pigeon" in failures[0].text
    assert sink.requests == []


def test_what_waits_is_told(sink, killed, place, monkeypatch):
    monkeypatch.setenv("SYNAPSE_OTEL_JOURNAL_DIR", str(killed.parent))
    by_name = {one.about: one for one in found("runs", probe=False)}
    assert "nothing is pending for this destination" in by_name["delivery"].text
    assert "synapse-otel sync --all" in by_name["other destinations"].advice
    assert killed.name in by_name["killed"].advice


def test_what_waits_for_this_destination_is_told(sink, tmp_path, monkeypatch):
    run(tmp_path, "success", OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
    monkeypatch.setenv("SYNAPSE_OTEL_JOURNAL_DIR", str(tmp_path))
    by_name = {one.about: one for one in found("runs", probe=False)}
    assert "no shipper is running" in by_name["delivery"].text
    assert "`synapse-otel sync`" in by_name["delivery"].advice
    assert "other destinations" not in by_name


def test_a_folder_that_cannot_be_written(sink, place, monkeypatch):
    monkeypatch.setenv("SYNAPSE_OTEL_JOURNAL_DIR", "/proc/journals")
    [folder] = found("journal", probe=False)
    assert folder.level is Level.FAILURE
    assert "SYNAPSE_OTEL_JOURNAL_DIR" in folder.advice


def test_a_disk_with_less_room_than_a_run_may_take(place, monkeypatch):
    monkeypatch.setenv("SYNAPSE_OTEL_JOURNAL_BUDGET", "1PiB")
    [folder] = found("journal", probe=False)
    assert folder.level is Level.WARNING
    assert "SYNAPSE_OTEL_JOURNAL_BUDGET" in folder.advice


def test_the_command_tells_people_and_programs(sink):
    people = CliRunner().invoke(app, ["doctor"])
    assert people.exit_code == 0, people.output
    assert people.output.splitlines()[-1] == "no problem found: records arrive"
    programs = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
    assert programs["healthy"] is True
    assert {one["check"] for one in programs["findings"]} == {
        "environment", "settings", "journal", "runs", "endpoint"
    }  # fmt: skip
    sink.answer = lambda request: Answer(401)
    people = CliRunner().invoke(app, ["doctor"])
    assert people.exit_code == 1
    assert people.output.splitlines()[-1] == "3 failures"


def test_the_command_in_a_process_of_its_own(place):
    with Sink() as sink:
        ended = command(Path(place / "journals"), "doctor", OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert len(sink.logs()) == 1
