"""The demo against the real backends: every single record of its journal is at its destination, value for value."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from synapse_otel.runs import Recording
from synapse_otel.runs.entries import LogEntry, Series
from synapse_otel.semconv import JOB_METRIC
from tools.stack.polling import eventually
from tools.stack.query import Span, equal_fields, jaeger_trace, log_records, prometheus_series
from tools.stack.stack import Stack

pytestmark = pytest.mark.stack

DEMO = Path(__file__).parents[2] / "examples" / "digits_demo.py"
MILLISECOND = 1_000_000


@pytest.fixture(scope="module")
def recording(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Run the demo as a user with a Collector does; return what its journal holds."""
    folder = tmp_path_factory.mktemp("demo")
    environment = {**os.environ, "XDG_STATE_HOME": str(folder), "OTEL_EXPORTER_OTLP_ENDPOINT": stack.otlp_http}
    command = [sys.executable, str(DEMO), "--journal", str(folder / "journal")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = (folder / "journal").glob("2*")
    found = Recording.read(run)
    assert found.account is not None
    assert found.account.delivered == found.account.emitted > 100
    assert found.missing == 0
    return found


def trace_of(recording: Recording) -> str:
    return recording.spans[0].trace_id


def job_of(recording: Recording) -> str:
    return str(recording.spans[0].attributes["synapse.job.id"])


def test_every_span_is_in_jaeger(recording: Recording, stack: Stack) -> None:
    wanted = {span.span_id: span for _depth, span in recording.walk()}
    recorded = wanted | {span.span_id: span for span in recording.markers}
    sent = len(recorded) - recording.account.withheld

    def complete() -> list[Span]:
        found = jaeger_trace(stack.jaeger, trace_of(recording))
        return found if len(found) >= sent else []

    found = {span.span_id: span for span in eventually(complete)}
    assert wanted.keys() < found.keys() <= recorded.keys(), "all spans, the job's marker, and no more than was recorded"
    assert len(found) == sent, "all but the markers of steps that had ended"
    for span_id, seen in found.items():
        span = recorded[span_id]
        assert seen.name == span.name
        assert (seen.parent_span_id or "") == span.parent_id
        assert abs(seen.start_us - span.start // 1000) <= 1
        assert [event.name for event in seen.events] == [event.name for event in span.events]
        scalars = {key: value for key, value in span.attributes.items() if not isinstance(value, list)}
        assert {key: seen.attributes.get(key) for key in scalars} == scalars


def test_every_sample_is_in_prometheus_with_its_own_time(recording: Recording, stack: Stack) -> None:
    ours = [series for series in recording.series if series.name == JOB_METRIC.name]
    assert sum(map(len, ours)) > 90
    begun = recording.spans[0].start / 1e9
    selector = f'synapse_job_metric{{synapse_job_id="{job_of(recording)}"}}'

    def complete() -> dict[tuple[str, str], list[tuple[int, float]]]:
        found = {
            (series.labels["synapse_category"], series.labels["synapse_metric_name"]): [
                (sample.time_ms, sample.value) for sample in series.samples
            ]
            for series in prometheus_series(stack.prometheus, selector, begun - 60, time.time() + 60)
        }
        assert sum(map(len, found.values())) >= sum(map(len, ours))
        return found

    found = eventually(complete)
    wanted = {(series.category, series.metric_name): points(series) for series in ours}
    assert found == wanted


def points(series: Series) -> list[tuple[int, float]]:
    return [(at // MILLISECOND, value) for at, value in zip(series.times, series.values, strict=True)]


def test_the_last_progress_is_in_prometheus(recording: Recording, stack: Stack) -> None:
    begun = recording.spans[0].start / 1e9
    for name, read in (
        ("synapse_job_progress_current", lambda progress: progress.current),
        ("synapse_job_progress_limit", lambda progress: progress.limit),
        ("synapse_job_items_total", lambda progress: progress.items),
    ):
        selector = f'{name}{{synapse_job_id="{job_of(recording)}"}}'
        found = prometheus_series(stack.prometheus, selector, begun - 60, time.time() + 60)
        last = {series.labels.get("synapse_category", ""): series.samples[-1].value for series in found}
        assert last == {one.category: read(one.progress) for one in recording.progress}


def test_every_log_record_is_in_victorialogs(recording: Recording, stack: Stack) -> None:
    begun = recording.spans[0].start / 1e9
    query = equal_fields({"service.name": "digits", "trace_id": trace_of(recording)})

    def complete() -> dict[str, LogEntry]:
        found = log_records(stack.victorialogs, query, begun - 60, time.time() + 60)
        assert len(found) >= len(recording.logs)
        return {record.fields["log.record.uid"]: record for record in found}

    found = eventually(complete)
    assert found.keys() == {entry.uid for entry in recording.logs}
    for entry in recording.logs:
        record = found[entry.uid]
        assert record.time_ns == entry.time
        assert record.body == (entry.body or "")
        assert record.fields["severity_number"] == str(entry.severity)
        assert record.fields["span_id"] == entry.span_id
        assert record.fields.get("event_name", "") == entry.event_name
        assert record.fields.get("synapse.category", "") == entry.category
