"""Parameters, values of metrics and resource usage of the runs in the list: of live, pending and delivered ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.folder import segment_numbers, segment_path
from synapse_otel.journal.summary import MetricSummaries, MetricSummary, read_summary
from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.runs.live import values
from synapse_otel.runs.live.index import RunIndex
from synapse_otel.semconv.signal import Signal
from tests.eventually import eventually
from tests.runs.runs import run
from tests.shipping import shipper_of
from tests.sink import Sink
from tests.ui.conftest import only, tell
from tests.usage.used import write as write_usage

pytestmark = pytest.mark.once

METRICS = {"train/loss": [0.2, 0.2, 1.0], "train/accuracy": [0.8, 0.0, 0.8]}


def row_of(root: Path) -> dict:
    index = RunIndex([root], stall_seconds=300)
    assert index.refresh(60)
    assert index.refresh_values(60)
    (row,) = index.rows()[1]
    return row


def deliver(folder: Path, sink: Sink) -> None:
    destination = Destination(**{name: Endpoint(url=f"{sink.url}/v1/{name}") for name in ("logs", "metrics", "traces")})
    shipper = shipper_of([], destination, "key")
    assert shipper.deliver_once(folder)
    shipper.stop()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    assert run(tmp_path, "success") == 0
    return tmp_path


def test_a_pending_run_has_its_parameters_metrics_and_usage(root: Path) -> None:
    write_usage(only(root), 1_800_000_000_000_000_000)
    row = row_of(root)
    assert row["params"] == {"epochs": 5}
    assert row["metrics"] == METRICS
    assert row["used"]["memory"] == 3 << 29
    assert row["used"]["cpu"] == pytest.approx(55.0)


def test_a_delivered_run_keeps_them_when_its_records_are_removed(root: Path, sink: Sink) -> None:
    folder = only(root)
    deliver(folder, sink)
    for number in segment_numbers(folder):
        segment_path(folder, number).unlink()
    (folder / "cursor-metrics.json").write_text("{}")  # what shows them stands in the summary
    row = row_of(root)
    assert row["params"] == {"epochs": 5}
    assert row["metrics"] == METRICS


def test_a_summary_of_an_older_version_is_read_and_the_metrics_are_those_of_the_journal(root: Path, sink: Sink) -> None:
    folder = only(root)
    deliver(folder, sink)
    path = folder / "summary.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({name: told[name] for name in ("jobs", "sequences", "last", "ended", "version")}))
    cursor = folder / "cursor-metrics.json"
    state = json.loads(cursor.read_text())
    del state["state"]["values"], state["crc"]
    cursor.write_text(json.dumps(state))
    summary = read_summary(folder)
    assert summary is not None
    assert summary.metrics is None
    assert row_of(root)["metrics"] == METRICS


def test_of_a_run_that_is_too_large_to_read_the_list_shows_what_was_delivered(
    root: Path, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "LARGEST", 0)
    assert row_of(root)["metrics"] == {}
    deliver(only(root), sink)
    (only(root) / "summary.json").unlink()
    assert row_of(root)["metrics"] == METRICS


def test_a_damaged_state_of_the_cursor_is_left_out(root: Path) -> None:
    (only(root) / "cursor-metrics.json").write_text('{"sequence": 4, "state": {"values": [["loss"]]}}')
    assert read_cursor(only(root), Signal.METRICS).sequence == 4
    assert row_of(root)["metrics"] == METRICS


def test_a_live_run_is_read_further(steered) -> None:
    index = RunIndex([steered.root], stall_seconds=300)

    def loss() -> list[float] | None:
        index.refresh(10)
        index.refresh_values(10)
        return index.rows()[1][0]["metrics"].get("train/loss")

    tell(steered, "metric 0.5")
    eventually(lambda: loss() == [0.5, 0.5, 0.5])
    tell(steered, "metric 2")
    tell(steered, "metric 1")
    eventually(lambda: loss() == [1.0, 0.5, 2.0])


def test_the_values_of_several_journals_are_one() -> None:
    merged = MetricSummaries()
    merged.merge([MetricSummary("loss", "", 2.0, 10, 2.0, 3.0)])
    merged.merge([MetricSummary("loss", "", 1.0, 5, 0.5, 4.0), MetricSummary("other", "", 1.0, 5, 1.0, 1.0)])
    loss, other = merged.all()
    assert (loss.last, loss.min, loss.max) == (2.0, 0.5, 4.0)
    assert other.last == 1.0
