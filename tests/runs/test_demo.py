"""The demo in its three modes, run as a user runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from synapse_otel.journal.folder import run_folders
from synapse_otel.runs import LogKind, Recording, Role, RunState
from tests.runs.ports import free_port
from tests.runs.runs import REPOSITORY, environment
from tests.sink import Sink, attributes

pytestmark = pytest.mark.once


def demo(journal: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # The threads of the linear algebra would spend a fifth of the processor's time waiting for each other.
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    variables = {"SYNAPSE_OTEL_SHIPPER": "process", "NO_COLOR": "1", **threads, **variables}
    return subprocess.run(
        [sys.executable, "examples/digits_demo.py", "--journal", str(journal), *arguments],
        env=environment(journal, **variables),
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=120,
    )


def recorded(journal: Path) -> Recording:
    (folder,) = run_folders(journal)
    return Recording.read(folder)


def results(recording: Recording) -> list[tuple[str, str | None]]:
    return [(span.name, span.result) for _depth, span in recording.walk()]


def test_it_ends_with_a_report_and_the_address_of_a_page_that_is_there(tmp_path):
    result = demo(tmp_path, "--page", "--fail", "load")
    assert result.returncode == 1
    report, page, _ = result.stdout.splitlines()[-3:]
    assert report == f"As one page:    {(tmp_path / 'train-digits-1.html').as_uri()}"
    first = (tmp_path / "train-digits-1.html").read_text()
    assert "train digits" in first
    address = page.removeprefix("All runs, live: ")
    try:
        assert b"<title>synapse-otel" in build_opener(HTTPCookieProcessor()).open(address, timeout=20).read()
        again = demo(tmp_path, "--page", "--fail", "load")
        report, page, _ = again.stdout.splitlines()[-3:]
        assert report == f"As one page:    {(tmp_path / 'train-digits-2.html').as_uri()}"
        assert (tmp_path / "train-digits-1.html").read_text() == first
        assert page == f"All runs, live: {address}", "the page that is served already"
    finally:
        end_page(tmp_path)


def end_page(journal: Path) -> None:
    """End the page that a demo has left."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # gone, or another user's
            is_page = b"\0--idle\0" in (process / "cmdline").read_bytes()
            if is_page and f"={journal}\0".encode() in (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGTERM)


def test_the_training_is_recorded_delivered_and_shown(tmp_path):
    result = demo(tmp_path)
    assert result.returncode == 0, result.stderr
    recording = recorded(tmp_path)
    steps = ["load", "prepare", "train", "evaluate", "export"]
    assert results(recording) == [("train digits", "success"), *((step, "success") for step in steps)]
    assert recording.account.complete
    assert recording.account.pending == recording.account.lost == 0

    curves = recording.curves
    assert {name: len(curves["train", name]) for category, name in curves if category == "train"} == dict.fromkeys(
        ("loss", "accuracy", "val_loss", "val_accuracy"), 24
    )
    assert curves["train", "loss"].values[-1] < curves["train", "loss"].values[0] / 4
    assert max(curves["train", "val_accuracy"].values) > 0.95
    assert len([name for category, name in curves if category == "evaluate"]) == 10

    assert [one.progress.ratio for one in recording.progress] == [1] * 6
    kinds = [entry.kind for entry in recording.logs]
    assert kinds.count(LogKind.DEVELOPER) == kinds.count(LogKind.LOGGING) == 1
    assert [entry.category for entry in recording.logs if entry.context == "warning"] == ["evaluate"]
    (exported,) = [entry for entry in recording.logs if entry.event_name == "model_exported"]
    assert Path(exported.file).stat().st_size == exported.attributes["file.size"]
    assert recording.job.attributes["synapse.model_path"] == exported.file

    assert f"delivered {recording.account.emitted:,} · pending 0 · dropped 0" in result.stdout
    assert "The receiver was a stand-in inside this demo." in result.stdout
    assert result.stdout.count("█") >= 4
    (line,) = result.stderr.splitlines()
    assert line.startswith("synapse-otel: train-digits-1: success in ")


def test_a_failing_step_is_rolled_back_and_shown(tmp_path):
    result = demo(tmp_path, "--fail", "train")
    assert result.returncode == 1
    recording = recorded(tmp_path)
    assert results(recording)[:4] == [
        ("train digits", "failure"),
        ("load", "success"),
        ("prepare", "success"),
        ("train", "failure"),
    ]
    assert [span.name for _depth, span in recording.walk() if span.role is Role.ROLLBACK] == [
        "rollback train",
        "rollback prepare",
        "rollback load",
    ]
    assert recording.progress_of("train").ratio == 0.5
    assert "✗ failure in" in result.stdout
    assert "RuntimeError: made to fail half-way through train" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
    last = re.findall(r"progress (?:total|train) .*", result.stdout)[-2:]
    assert all(re.search(r"  stopped after [\d.:]+s?$", line) for line in last), last


def test_a_step_that_there_is_not_is_said(tmp_path):
    result = demo(tmp_path, "--fail", "nonsense")
    assert result.returncode == 2
    assert "invalid choice: 'nonsense'" in result.stderr


def test_a_killed_training_arrives_whole_and_closed(tmp_path):
    result = demo(tmp_path, "--kill")
    assert result.returncode == 0, result.stdout + result.stderr
    recording = recorded(tmp_path)
    assert recording.state is RunState.CRASHED
    assert [(span.name, span.is_open) for _depth, span in recording.walk()] == [
        ("train digits", True),
        ("load", False),
        ("prepare", False),
        ("train", True),
    ]
    seconds = float(re.search(r"Delivered and closed as killed (\d+\.\d) s later", result.stdout)[1])
    assert seconds < 10  # a safety net; the demo itself shows how long it took
    printed = int(re.search(r"the job itself had printed (\d+)/", result.stdout)[1])
    # A record is made before it is shown, so at most one more was recorded than printed.
    assert recording.progress_of("train").current - printed in {0, 1}
    logs = re.search(r"log records +(\d+) +(\d+) +1 more says that it was killed", result.stdout)
    assert (int(logs[1]), int(logs[2])) == (len(recording.logs), len(recording.logs) + 1)
    samples = re.search(r"metric samples +(\d+) +(\d+)", result.stdout)
    assert samples[1] == samples[2] == str(sum(len(series) for series in recording.curves.values()))
    spans = re.search(r"spans +(\d+) +(\d+) +2 more closed for it", result.stdout)
    assert int(spans[2]) == int(spans[1]) + 2
    assert "✗ killed, last seen after" in result.stdout


def test_a_killed_training_arrives_at_the_endpoint_that_is_set(tmp_path):
    with Sink() as sink:
        result = demo(tmp_path, "--kill", OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
        assert result.returncode == 0, result.stdout + result.stderr
        uids = {attributes(record)["log.record.uid"] for record in sink.logs()}
        assert {entry.uid for entry in recorded(tmp_path).logs} < uids
        closed = {span.name for span in sink.spans() if attributes(span).get("error.type") == "killed"}
        assert closed == {"train digits", "train"}
    assert "stand-in" not in result.stdout


def test_without_a_receiver_it_says_how_to_send(tmp_path):
    result = demo(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}")
    assert result.returncode == 0
    emitted = recorded(tmp_path).account.emitted
    assert f"{emitted:,} records are pending. To send them when the receiver is there:" in result.stdout
    (last,) = [line for line in result.stdout.splitlines() if line.endswith(" sync`")]
    assert last.startswith("`OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:")
    assert f" SYNAPSE_OTEL_JOURNAL_DIR={tmp_path} " in last
    assert last.endswith("synapse-otel sync`")
    assert "Traceback" not in result.stderr
