"""A job's records, each found at its destination: Jaeger, Prometheus and VictoriaLogs behind a real Collector."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.stack.polling import eventually
from tools.stack.query import LogRecord, Span, equal_fields, jaeger_search, jaeger_trace, log_records, prometheus_series
from tools.stack.stack import Stack

pytestmark = pytest.mark.stack

SCRIPT = Path(__file__).with_name("training_job.py")
EPOCHS = 30


@dataclass
class Run:
    """A job that was run, and where to look for what it recorded."""

    stack: Stack
    job_id: str
    trace_id: str
    begun: float
    process: "subprocess.Popen[str]"
    samples: dict[str, list[float]]

    def spans(self, count: int) -> dict[str, Span]:
        """Return the trace's spans by name once there are ``count``, and no name twice."""

        def complete() -> list[Span]:
            spans = jaeger_trace(self.stack.jaeger, self.trace_id)
            return spans if len(spans) == count else []

        spans = eventually(complete)
        assert len({span.name for span in spans}) == count
        assert len({span.span_id for span in spans}) == count
        return {span.name: span for span in spans}

    def series(self, name: str, **labels: str) -> list[tuple[int, float]]:
        """Return the raw samples of the job's only series of that name and labels."""
        matchers = "".join(f',{key}="{value}"' for key, value in labels.items())
        selector = f'{name}{{synapse_job_id="{self.job_id}"{matchers}}}'
        found = prometheus_series(self.stack.prometheus, selector, self.begun - 60, time.time() + 60)
        assert len(found) == 1, f"{selector}: {found}"
        return [(sample.time_ms, sample.value) for sample in found[0].samples]

    def records(self, count: int) -> list[LogRecord]:
        """Return the job's log records, by time, once there are ``count``."""
        query = equal_fields({"service.name": "digits", "synapse.job.id": self.job_id})

        def complete() -> list[LogRecord]:
            found = log_records(self.stack.victorialogs, query, self.begun - 60, time.time() + 60)
            assert len(found) == count, [record.body for record in found]
            return found

        return sorted(eventually(complete), key=lambda record: record.time_ns)


@pytest.fixture
def start(stack: Stack, tmp_path: Path) -> Iterator[object]:
    """Start a job in a process of its own, with a state folder and a shipper of its own."""
    processes: list[subprocess.Popen[str]] = []

    def start_job(mode: str) -> Run:
        job_id = uuid.uuid4().hex
        environment = {
            **os.environ,
            "JOB_ID": job_id,
            "XDG_STATE_HOME": str(tmp_path),
            "OTEL_EXPORTER_OTLP_ENDPOINT": stack.otlp_http,
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
        }
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), mode],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        begun = time.time()
        assert process.stdout is not None
        trace_id = json.loads(process.stdout.readline())["trace"]
        line = process.stdout.readline()
        return Run(stack, job_id, trace_id, begun, process, json.loads(line)["samples"] if line else {})

    yield start_job
    for process in processes:
        process.kill()
        process.communicate()


def times(points: Sequence[tuple[int, float]]) -> list[int]:
    return [time_ms for time_ms, _ in points]


def values(points: Sequence[tuple[int, float]]) -> list[float]:
    return [value for _, value in points]


@pytest.fixture
def good(start) -> Run:
    run: Run = start("good")
    _, errors = run.process.communicate(timeout=60)
    assert run.process.returncode == 0, errors
    assert "success" in errors
    assert "pending 0 · dropped 0" in errors
    return run


def test_the_trace_of_a_good_job(good: Run) -> None:
    spans = good.spans(5)
    root = spans["train digits"]
    assert root.parent_span_id is None
    assert root.attributes["synapse.job.id"] == good.job_id
    assert root.attributes["synapse.action"] == "train"
    assert root.attributes["synapse.plugin.name"] == "digits"
    assert root.attributes["synapse.plugin.version"] == "1.2.0"
    assert root.attributes["synapse.category"] == "neural_net"
    assert root.attributes["synapse.checkpoint.path"] == "models/base.bin"
    assert root.attributes["synapse.params.epochs"] == EPOCHS
    assert root.attributes["synapse.job.result"] == "success"
    assert root.attributes["synapse.model_path"] == "model.bin"
    assert root.resource["service.name"] == "digits"
    assert root.resource["service.version"] == "1.2.0"
    assert root.resource["service.namespace"] == "synapse"
    assert root.resource["process.pid"] == good.process.pid
    assert "host.name" in root.resource
    steps = [spans[name] for name in ("load", "check", "train")]
    assert [step.attributes["synapse.step.order"] for step in steps] == [1, 2, 3]
    assert [step.attributes["synapse.step.weight"] for step in steps] == [0.2, 0.1, 0.7]
    assert [step.attributes["synapse.step.result"] for step in steps] == ["success", "skip", "success"]
    assert {step.parent_span_id for step in steps} == {root.span_id}
    marker = spans["train digits (started)"]
    assert marker.parent_span_id == root.span_id
    assert marker.duration_us == 0
    assert marker.attributes["synapse.span.marker"] is True
    assert [event.name for event in root.events] == [
        "synapse.job.started",
        "synapse.message",
        "synapse.message",
        "synapse.job.finished",
    ]
    dataset, message = spans["load"].events
    assert dataset.name == "dataset"
    assert dataset.attributes["synapse.data.split.train"] == 0.8
    assert dataset.attributes["file.path"] == str(SCRIPT)
    assert dataset.attributes["file.size"] == SCRIPT.stat().st_size
    assert message.attributes["message"] == "1,797 images are loaded"
    assert [event.attributes["message"] for event in spans["train"].events] == ["the loss falls slowly"]


def test_the_metrics_of_a_good_job(good: Run) -> None:
    eventually(lambda: good.series("synapse_job_active")[-1][1] == 0.0)
    for name in ("loss", "accuracy"):
        points = good.series("synapse_job_metric", synapse_metric_name=name, synapse_category="train")
        assert values(points) == good.samples[name], "every sample, in order"
        assert len(set(times(points))) == EPOCHS, "each with a time of its own"
        assert good.begun * 1000 <= points[0][0] < points[-1][0] <= time.time() * 1000 + 1000
    for category, done in (("load", 100), ("train", EPOCHS), ("", 100)):
        label = {"synapse_category": category}
        assert good.series("synapse_job_progress_ratio", **label)[-1][1] == 1.0
        assert good.series("synapse_job_progress_current", **label)[-1][1] == done
        assert good.series("synapse_job_progress_limit", **label)[-1][1] == done
        assert good.series("synapse_job_items_total", **label)[-1][1] == done
        assert good.series("synapse_job_eta_seconds", **label)[-1][1] == 0
        assert good.begun - 1 < good.series("synapse_job_progress_time_seconds", **label)[-1][1] < time.time()
    assert good.series("synapse_job_metric_updates_total")[-1][1] == 2 * EPOCHS
    assert good.series("synapse_job_events_total", synapse_event_name="dataset")[-1][1] == 1
    counts = {"info": 2, "success": 1, "warning": 1}
    for context, count in counts.items():
        assert good.series("synapse_job_messages_total", synapse_message_context=context)[-1][1] == count
    assert good.series("synapse_job_active")[-1][1] == 0.0


def test_the_durations_of_a_good_job(good: Run) -> None:
    instance = good.spans(5)["train digits"].resource["service.instance.id"]

    def of(name: str, **labels: str) -> float:
        matchers = "".join(f',{key}="{value}"' for key, value in labels.items())
        selector = f'{name}{{instance="{instance}"{matchers}}}'
        found = eventually(
            lambda: prometheus_series(good.stack.prometheus, selector, good.begun - 60, time.time() + 60)
        )
        assert len(found) == 1, found
        return found[0].samples[-1].value

    assert of("synapse_job_duration_seconds_count", synapse_job_result="success") == 1
    assert 0 < of("synapse_job_duration_seconds_sum") < 60
    for step, result in (("load", "success"), ("check", "skip"), ("train", "success")):
        labels = {"synapse_step_name": step, "synapse_step_result": result}
        assert of("synapse_step_duration_seconds_count", **labels) == 1


def test_the_log_records_of_a_good_job(good: Run) -> None:
    records = good.records(9)
    seen = [(record.fields.get("event_name"), record.fields["severity_text"], record.body) for record in records]
    assert seen == [
        ("synapse.job.started", "INFO", "train digits started"),
        ("synapse.message", "INFO", "training begins"),
        ("dataset", "INFO", ""),
        ("synapse.message", "INFO", "1,797 images are loaded"),
        ("synapse.message", "WARN", "the loss falls slowly"),
        ("synapse.dev_event", "DEBUG", "gradient"),
        (None, "INFO", "half of the epochs are done"),
        ("synapse.message", "INFO", "The plugin has run to its end."),
        ("synapse.job.finished", "INFO", records[-1].body),
    ]
    spans = good.spans(5)
    assert {record.fields["trace_id"] for record in records} == {good.trace_id}
    inside = ["train digits"] * 2 + ["load"] * 2 + ["train"] * 3 + ["train digits"] * 2
    assert [record.fields["span_id"] for record in records] == [spans[name].span_id for name in inside]
    assert len({record.fields["log.record.uid"] for record in records}) == len(records)
    contexts = [record.fields.get("synapse.message.context") for record in records]
    assert contexts == [None, "info", None, "success", "warning", None, None, "info", None]
    developer = records[5]
    assert developer.fields["synapse.audience"] == "developer"
    assert developer.fields["synapse.data.api_key"] == "[redacted]"
    assert developer.fields["synapse.data.norm"] == "0.5"
    assert records[6].fields["scope.name"] == "plugin.trainer"


def test_a_failing_job_and_its_rollbacks(start) -> None:
    run: Run = start("failing")
    _, errors = run.process.communicate(timeout=60)
    assert run.process.returncode == 1
    assert "failure" in errors
    spans = run.spans(7)
    root, train = spans["train digits"], spans["train"]
    for span in (root, train):
        assert span.attributes["error"] is True
        assert span.attributes["otel.status_code"] == "ERROR"
        assert span.attributes["error.type"] == "ValueError"
    assert root.attributes["synapse.job.result"] == "failure"
    assert train.attributes["synapse.step.error"] == "the loss is not finite"
    exceptions = [event for span in spans.values() for event in span.events if event.name == "exception"]
    assert len(exceptions) == 1, "recorded once, in the step"
    assert exceptions[0] in train.events
    assert "raise ValueError" in exceptions[0].attributes["exception.stacktrace"]
    rollbacks = [spans["rollback train"], spans["rollback load"]]
    assert train.start_us <= rollbacks[0].start_us <= rollbacks[1].start_us, "in reverse order"
    for rollback in rollbacks:
        assert rollback.attributes["synapse.step.phase"] == "rollback"
        assert rollback.links == ((run.trace_id, train.span_id),)
    exceptions_logged = [record for record in run.records(11) if record.fields.get("event_name") == "exception"]
    assert [record.fields["exception.type"] for record in exceptions_logged] == ["ValueError"]


def test_a_job_is_seen_while_it_runs_and_whole_after_it_was_killed(start) -> None:
    run: Run = start("killed")
    running = run.spans(4)
    assert set(running) == {"train digits (started)", "load", "check", "train (started)"}
    found = jaeger_search(run.stack.jaeger, "digits", tags={"synapse.job.id": run.job_id})
    assert list(found) == [run.trace_id]
    eventually(lambda: run.series("synapse_job_progress_current", synapse_category="train")[-1][1] == EPOCHS // 2 + 1)
    assert time.time() - run.series("synapse_job_heartbeat_time_seconds")[-1][1] < 10

    run.process.send_signal(signal.SIGKILL)
    assert run.process.wait() == -signal.SIGKILL
    spans = run.spans(6)
    root, train = spans["train digits"], spans["train"]
    assert root.attributes["synapse.job.result"] == "error"
    for span in (root, train):
        assert span.attributes["error.type"] == "killed"
        assert span.attributes["otel.status_code"] == "ERROR"
    assert train.attributes["synapse.step.result"] == "error"
    assert train.events[0].attributes["message"] == "the loss falls slowly"
    eventually(lambda: run.series("synapse_job_active")[-1][1] == 0.0)
    for name in ("loss", "accuracy"):
        assert values(run.series("synapse_job_metric", synapse_metric_name=name)) == run.samples[name]
    assert run.series("synapse_job_progress_current", synapse_category="train")[-1][1] == EPOCHS // 2 + 1
    last = run.records(8)[-1]
    assert last.fields["event_name"] == "synapse.job.finished"
    assert last.fields["synapse.job.result"] == "error"
    assert last.fields["error.type"] == "killed"
