"""Runs from Python: found, read as arrays, messages and spans, and put into tables."""

from __future__ import annotations

import shutil
import subprocess
import sys
from array import array
from datetime import UTC, datetime

import numpy as np
import pytest

from synapse_otel import read
from synapse_otel.journal.folder import segment_numbers, segment_path
from synapse_otel.runs import Recording
from tests.read.conftest import record
from tests.read.jobs import EVIL, PARAMS
from tests.runs.runs import command, environment

pytestmark = pytest.mark.once


def names(found):
    return [one.name for one in found]


def test_runs_are_found_by_what_is_known_of_them(root):
    assert names(read.runs(folder=root)) == list(PARAMS)
    for wanted, expected in (
        ({"text": "arge"}, ["large"]),
        ({"text": "gpu"}, ["large"]),
        ({"text": "nothing like it"}, []),
        ({"tags": "base"}, list(PARAMS)),
        ({"tags": ["base", "gpu"]}, ["large"]),
        ({"action": "train", "plugin": "yolo"}, list(PARAMS)),
        ({"plugin": "other"}, []),
        ({"state": "crashed"}, ["killed"]),
        ({"result": "success"}, ["small", "large"]),
        ({"params": {"lr": 0.5, "deep": False}}, ["large"]),
        ({"params": {"optimizer.name": "sgd"}}, ["small"]),
        ({"params": {"unknown": None}}, []),
    ):
        assert names(read.runs(folder=root, **wanted)) == expected, wanted
    third = read.run("failing", folder=root)
    since = datetime.fromtimestamp(third.start / 1e9 - 0.001, UTC)
    assert names(read.runs(folder=root, since=since)) == ["failing", "killed"]
    assert names(read.runs(folder=root, since=since.astimezone().replace(tzinfo=None))) == ["failing", "killed"]


def test_the_last_run_is_the_default_and_the_configured_folder(root, monkeypatch):
    monkeypatch.setenv("SYNAPSE_OTEL_JOURNAL_DIR", str(root))
    monkeypatch.setattr("synapse_otel.read.finding.spare_roots", list)
    assert read.run().name == "killed"
    assert names(read.runs(tags="gpu")) == ["large"]


def test_what_is_asked_wrongly_is_said(root, tmp_path):
    with pytest.raises(ValueError, match="state is live, stalled, crashed, done, not 'dead'"):
        read.runs(state="dead", folder=root)
    with pytest.raises(NotADirectoryError, match="none is not a folder of journals"):
        read.runs(folder=tmp_path / "none")
    with pytest.raises(read.RunNotFoundError, match="did you mean large"):
        read.run("lagre", folder=root)
    with pytest.raises(ValueError, match="a table is of runs, metrics, messages, spans, not 'rows'"):
        read.table([], "rows")
    with pytest.raises(ValueError, match="a table is of metrics, messages, spans, not 'runs'"):
        read.run(folder=root).table("runs")


def test_a_run_as_a_whole(root):
    small, _large, failing, killed = read.runs(folder=root)
    assert (small.name, small.tags, small.notes) == ("small", ["base"], EVIL)
    assert (small.action, small.plugin, small.version) == ("train", "yolo", "1.2")
    assert (small.state, small.result, small.error_type) == ("done", "success", "")
    assert small.params == {"lr": 1, "deep": True, "optimizer.name": "sgd"}
    assert small.progress == {"": 0.75}
    assert small.start < small.end
    assert small.seconds == (small.end - small.start) / 1e9
    assert (small.missing, small.incomplete) == (0, [])
    assert repr(small) == "<SavedRun 'small': train yolo, done, success>"
    assert (failing.state, failing.result, failing.error_type) == ("done", "failure", "RuntimeError")
    assert (killed.state, killed.params) == ("crashed", {"lr": 0.125})
    assert read.run(small.id, folder=root).folders == small.folders


def test_parameters_are_whole_however_long(root):
    assert read.run("large", folder=root).params["prompt"] == "p" * 500


def test_metrics_are_arrays(root):
    one = read.run("small", folder=root)
    found = one.metrics()
    assert set(found) == {("training", "loss"), ("training", EVIL)}
    loss = found["training", "loss"]
    assert (loss.times.dtype, loss.values.dtype) == (np.int64, np.float64)
    assert loss.values.tolist() == [1.0, 0.5, 1 / 3]
    assert (len(loss), loss.last, repr(loss)) == (3, 1 / 3, "<Metric training/loss: 3 samples, last 0.333333>")
    series = Recording.read(*one.folders).curves["training", "loss"]
    assert loss.times.tolist() == series.times
    assert one.last_values() == {"training.loss": 1 / 3, f"training.{EVIL}": 2.0}


def test_series_of_several_workers_are_one_in_order_of_time(root):
    one = read.run("small", folder=root)
    with one.records() as found:
        series = next(each for each in found.series if each.metric == "loss")
        joined = read.Metric.of([series, series])
    assert joined.values.tolist() == [1.0, 1.0, 0.5, 0.5, 1 / 3, 1 / 3]
    assert joined.times.tolist() == sorted([*series.times, *series.times])


def test_without_numpy_they_are_arrays_of_the_standard_library(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    loss = read.run("small", folder=root).metrics()["training", "loss"]
    assert (type(loss.times), loss.times.typecode, loss.values) == (array, "q", array("d", [1.0, 0.5, 1 / 3]))


def test_messages_and_spans_are_those_of_the_recording(root):
    one = read.run("failing", folder=root)
    recording = Recording.read(*one.folders)
    messages = one.messages()
    assert [(each.time, each.severity, each.kind) for each in messages] == [
        (each.time, each.severity, each.kind) for each in recording.logs
    ]
    message = next(each for each in messages if each.kind == "message")
    assert (message.text, message.context, message.category) == (f"failing {EVIL}", "warning", "training")
    assert next(each.data for each in messages if each.event == "saved") == {"size.mb": 3}
    assert any(each.kind == "exception" and each.text == f"RuntimeError: {EVIL}" for each in messages)
    (job,) = one.spans()
    assert one.spans() == [job]
    assert (job.span_id, job.name, job.result, job.error) == (
        recording.job.span_id,
        "train yolo",
        "failure",
        recording.job.error,
    )
    assert message.span_id == job.span_id


def test_a_run_that_lives_is_what_was_there(tmp_path):
    program = """
import synapse_otel
from synapse_otel.loggers import NoOpLogger
with synapse_otel.job("train", plugin="yolo", logger=NoOpLogger()) as ctx:
    for n in range(2):
        ctx.set_metrics({"loss": n}, "training")
        print("done", flush=True)
        input()
"""
    called = [sys.executable, "-c", program]
    with subprocess.Popen(
        called, env=environment(tmp_path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        for count in (1, 2):
            assert process.stdout.readline() == "done\n"
            one = read.run(folder=tmp_path)
            assert (one.state, one.result, one.end, one.incomplete) == ("live", "", None, [])
            assert len(one.metrics()["training", "loss"]) == count
            process.stdin.write("\n")
            process.stdin.flush()
        process.communicate(timeout=60)
    assert read.run(folder=tmp_path).state == "done"


# --- incomplete runs


def test_a_run_whose_records_were_delivered_and_removed_says_so(tmp_path, sink):
    variables = {"SYNAPSE_OTEL_JOURNAL_KEPT_BUDGET": "0", "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url}
    record(tmp_path, "large", **variables)
    assert command(tmp_path, "sync", **variables).returncode == 0
    one = read.run(folder=tmp_path)
    with pytest.warns(read.IncompleteWarning, match="delivered and removed from this machine: all") as said:
        assert one.metrics() == {}
    assert said[0].filename == __file__
    assert (one.name, one.result, one.params["prompt"]) == ("large", "success", "p" * 500)
    assert one.missing > 0
    assert "delivered and removed" in one.incomplete[0]
    assert "delivered and removed" in one._repr_html_()  # and does not warn again
    with pytest.warns(read.IncompleteWarning):
        assert read.table(read.runs(folder=tmp_path)).columns["missing"] == [one.missing]


def test_a_damaged_run_says_so(root, tmp_path):
    source = read.run("small", folder=root).folders[0]
    folder = shutil.copytree(source, tmp_path / source.name)
    path = segment_path(folder, segment_numbers(folder)[0])
    data = bytearray(path.read_bytes())
    at = data.index(b"small " + EVIL.encode())
    data[at] ^= 0xFF
    path.write_bytes(data)
    one = read.run(folder=tmp_path)
    with pytest.warns(read.IncompleteWarning, match="damaged"):
        assert f"small {EVIL}" not in [each.text for each in one.messages()]
    assert "evicted or damaged before delivery: 1 record" in one.incomplete
    assert not any("delivered and removed" in note for note in one.incomplete)


def test_a_run_that_cannot_be_read_hides_no_other(root, tmp_path):
    found = shutil.copytree(root, tmp_path / "runs")
    (folder,) = read.run("small", folder=found).folders
    segment = segment_path(folder, segment_numbers(folder)[0])
    segment.unlink()
    segment.mkdir()
    with pytest.warns(read.IncompleteWarning, match=f"{folder.name} is left out") as said:
        assert names(read.runs(folder=found)) == ["large", "failing", "killed"]
    assert said[0].filename == __file__
