"""Runs written into files: complete, self-contained, and harmless."""

from __future__ import annotations

import csv
import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from synapse_otel.journal.folder import run_folders
from synapse_otel.recording import Recording, Role
from synapse_otel.view.tables import _safe
from tests.reading.runs import TOKEN as CREDENTIAL
from tests.reading.runs import command
from tests.view.jobs import EVIL


def export(root: Path, run: str, kind: str, target: Path) -> None:
    ended = command(root, "export", run, "--format", kind, "--output", str(target))
    assert ended.returncode == 0, ended.stderr


def folder_of(root: Path, part: str, state: str = "done") -> Path:
    recordings = {folder: Recording.read(folder) for folder in run_folders(root)}
    (found,) = [folder for folder, one in recordings.items() if part in one.job.name and one.state == state]
    return found


@pytest.fixture
def hostile(shelf_root) -> Path:
    return folder_of(shelf_root, "evil")


def data_of(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="synapse-otel-run">(.*?)</script>', page, re.DOTALL)
    return json.loads(found[1])


def test_a_page_holds_all_of_a_run_and_needs_nothing_else(shelf_root, tmp_path):
    failure = next(folder for folder in run_folders(shelf_root) if Recording.read(folder).exceptions)
    export(shelf_root, failure.name, "html", tmp_path / "run.html")
    page = (tmp_path / "run.html").read_text()
    assert len(page) < 300_000
    assert CREDENTIAL not in page
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=", page)
    held = data_of(page)
    recording = Recording.read(failure)
    assert [span["name"] for span in held["details"]["spans"]] == [span.name for _depth, span in recording.walk()]
    assert len(held["records"]) == len(recording.logs)
    values = [pytest.approx(series.values) for series in recording.curves.values()]
    assert [curve["v"] for curve in held["curves"].values()] == values


def test_texts_of_a_page_are_never_code(shelf_root, hostile, tmp_path):
    export(shelf_root, hostile.name, "html", tmp_path / "run.html")
    page = (tmp_path / "run.html").read_text()
    assert EVIL not in page
    assert page.count("<script") == page.count("</script>") == 2
    assert EVIL in json.dumps(data_of(page))
    script = page[page.rindex("<script>") + len("<script>") : page.rindex("</script>")]
    assert f"script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in page


def test_tables_have_every_sample_message_and_span(shelf_root, tmp_path):
    success = folder_of(shelf_root, "coco", "crashed")
    export(shelf_root, success.name, "csv", tmp_path / "tables")
    recording = Recording.read(success)
    paths = (tmp_path / "tables").iterdir()
    tables = {path.stem: list(csv.DictReader(path.read_text().splitlines())) for path in paths}
    assert len(tables["messages"]) == len(recording.logs)
    assert len(tables["metrics"]) == sum(len(series) for series in recording.series)
    spans = [span for _depth, span in recording.walk() if span.role is not Role.MARKER]
    assert {row["name"] for row in tables["spans"]} == {span.name for span in spans}


def test_no_cell_of_a_table_is_a_formula():
    assert _safe("=cmd|' /C calc'!A0") == "'=cmd|' /C calc'!A0"
    assert [_safe(value) for value in ("plain", -1.5, "@x")] == ["plain", -1.5, "'@x"]


def test_otlp_in_json_is_what_the_specification_says_and_leaves_the_journal_alone(shelf_root, tmp_path):
    killed = folder_of(shelf_root, "coco", "crashed")
    before = {path.name: path.read_bytes() for path in killed.iterdir()}
    export(shelf_root, killed.name, "otlp-json", tmp_path / "run.json")
    assert {path.name: path.read_bytes() for path in killed.iterdir()} == before
    lines = [json.loads(line) for line in (tmp_path / "run.json").read_text().splitlines()]
    assert {key for line in lines for key in line} == {"resourceSpans", "resourceMetrics", "resourceLogs"}
    recording = Recording.read(killed)
    spans = [
        span
        for line in lines
        for resource in line.get("resourceSpans", [])
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    assert {span["name"] for span in spans} >= {"export coco", "write"}
    assert {span["traceId"] for span in spans} == {recording.jobs[0].trace_id}
    assert all(re.fullmatch(r"[0-9a-f]{16}", span["spanId"]) for span in spans)
    assert all(isinstance(span["kind"], int) for span in spans)
    bodies = [
        record["body"].get("stringValue")
        for line in lines
        for resource in line.get("resourceLogs", [])
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
        if "body" in record
    ]
    assert "three written" in bodies
    logs = next(line for line in lines if "resourceLogs" in line)
    without_ids = json.loads(re.sub(r'"(?:traceId|spanId)": "[^"]*"', '"flags": 1', json.dumps(logs)))
    assert ParseDict(without_ids, ExportLogsServiceRequest(), ignore_unknown_fields=False).resource_logs


def test_a_run_that_is_not_there_is_said(shelf_root, tmp_path):
    ended = command(shelf_root, "export", "no-such-run", "-o", str(tmp_path / "x"))
    assert ended.returncode == 2
    assert "there is no run 'no-such-run'" in ended.stderr
