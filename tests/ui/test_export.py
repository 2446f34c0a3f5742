"""Runs written into files: complete, self-contained, and harmless."""

from __future__ import annotations

import csv
import json
import os
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from pyarrow import parquet

from synapse_otel.export.csv_tables import _safe
from synapse_otel.export.parquet import write_parquet
from synapse_otel.journal.folder import run_folders
from synapse_otel.runs import Recording, Role
from synapse_otel.runs.live.followed_run import FollowedRun
from tests.runs.runs import TOKEN as CREDENTIAL
from tests.runs.runs import command, environment
from tests.ui.conftest import record
from tests.ui.jobs import EVIL

pytestmark = pytest.mark.once


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


def test_parquet_has_the_same_tables_with_types(shelf_root, tmp_path):
    run = folder_of(shelf_root, "coco", "crashed")
    export(shelf_root, run.name, "parquet", tmp_path / "parquet")
    export(shelf_root, run.name, "csv", tmp_path / "csv")
    recording = Recording.read(run)
    for name in ("metrics", "messages", "spans"):
        table = parquet.read_table(tmp_path / "parquet" / f"{name}.parquet")
        rows = list(csv.DictReader((tmp_path / "csv" / f"{name}.csv").read_text().splitlines()))
        assert table.num_rows == len(rows)
        assert set(table.column_names) == rows[0].keys() - {"unix_nanoseconds"} if rows else True
        for column in {"time", "start", "end"} & set(table.column_names):
            assert str(table.schema.field(column).type) == "timestamp[ns, tz=UTC]"
    messages = parquet.read_table(tmp_path / "parquet" / "messages.parquet")
    assert [one.value for one in messages["time"]] == [log.time for log in recording.logs]
    assert [one.as_py() for one in messages["severity"]] == [log.severity for log in recording.logs]
    spans = parquet.read_table(tmp_path / "parquet" / "spans.parquet")
    assert {one.as_py() for one in spans["end"]} == {None}  # it was killed: no span has ended
    assert {str(spans.schema.field(name).type) for name in ("failed", "skipped")} == {"bool"}
    metrics = parquet.read_table(tmp_path / "parquet" / "metrics.parquet")
    assert sorted(one.as_py() for one in metrics["value"]) == sorted(
        value for series in recording.series for value in series.values
    )


def test_a_table_longer_than_what_is_made_at_a_time_is_whole(tmp_path, monkeypatch):
    record(tmp_path / "runs", "many", "100")
    monkeypatch.setattr("synapse_otel.export.parquet.ROWS", 7)
    found = FollowedRun(list(run_folders(tmp_path / "runs")))
    assert found.refresh()
    write_parquet([(found, ())], tmp_path / "tables")
    found.close()
    told = parquet.read_table(tmp_path / "tables" / "messages.parquet")["text"].to_pylist()
    assert [text for text in told if text.startswith("record")] == [f"record number {at}" for at in range(100)]


def test_without_pyarrow_the_extra_is_named(shelf_root, tmp_path):
    (tmp_path / "pyarrow.py").write_text("raise ModuleNotFoundError(\"No module named 'pyarrow'\")")
    paths = os.pathsep.join((str(tmp_path), environment(shelf_root)["PYTHONPATH"]))
    ended = command(shelf_root, "export", "coco", "--format", "parquet", "-o", str(tmp_path / "out"), PYTHONPATH=paths)
    assert ended.returncode == 2
    assert "pip install 'synapse-otel[parquet]'" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "out").exists()


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
