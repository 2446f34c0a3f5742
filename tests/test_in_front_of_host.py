"""With providers of the host, the journal can be put in front of them, or take their place for what a job records."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.hosts import HEAD, RUN, SDK, SOURCE, names, ran
from tests.sink import attributes, body

pytestmark = pytest.mark.once

SET = """
trace.set_tracer_provider(traces); metrics.set_meter_provider(meters); set_logger_provider(records)
"""
BOTH = """
run()
print(json.dumps([at_host(), in_journal()]))
"""
JOB_SPANS = {"train yolo", "own span"}


def test_the_journal_first_and_then_the_host(tmp_path):
    host, journal, errors = ran(SET + BOTH, tmp_path, "also")
    assert set(host["spans"]) == JOB_SPANS | {"train yolo (started)"}
    assert {name: host["spans"][name] for name in JOB_SPANS} == journal["spans"], "the same ids, and the same tree"
    assert sorted(host["logs"], key=str) == sorted(journal["logs"], key=str), "each record once, of the same span"
    assert ("synapse.message", "half way") in names(journal["logs"])
    assert ("", "from logging") in names(journal["logs"])
    assert journal["curves"] == {"loss": [0.5]}
    assert journal["progress"] == {"load": 4}
    assert host["series"]["synapse.job.metric train"] == 0.5
    assert host["series"]["synapse.job.progress load"] == 1.0
    assert host["series"]["synapse.job.items load"] == 4
    assert host["series"]["synapse.job.active"] == 0
    assert "pending" in errors


def test_the_host_gets_what_it_got_without_the_journal(tmp_path):
    found = []
    for mode in ("only", "also"):
        (tmp_path / mode).mkdir()
        host, _journal, _errors = ran(SET + BOTH, tmp_path / mode, mode)
        events = [(name, len(log)) for name, *log in host["logs"]]
        found.append((sorted(host["spans"]), sorted(events), sorted(host["series"])))
    assert found[0] == found[1]


def test_every_sample_is_in_the_journal_though_the_host_takes_the_last(tmp_path):
    script = """
with synapse_otel.job("train", plugin="yolo", logger=NoOpLogger()) as ctx:
    for number in range(100):
        ctx.set_metrics({"loss": number, "top": -number}, "train")
print(json.dumps([at_host(), in_journal()]))
"""
    host, journal, _errors = ran(SET + script, tmp_path, "also")
    assert journal["curves"] == {"loss": list(range(100)), "top": [-number for number in range(100)]}
    assert host["series"]["synapse.job.metric.updates train"] == 200


def test_in_the_journal_alone(tmp_path):
    script = """
with trace.get_tracer("host").start_as_current_span("of the host"):
    run()
records.get_logger("host").emit(body="of the host")
print(json.dumps([at_host(), in_journal()]))
"""
    host, journal, _errors = ran(SET + script, tmp_path, "not")
    assert set(host["spans"]) == {"of the host", "own span"}
    assert names(host["logs"]) == [("", "of the host")]
    assert host["series"] == {}
    assert set(journal["spans"]) == {"train yolo"}
    assert ("synapse.message", "half way") in names(journal["logs"])
    assert [text for _name, text in names(journal["logs"]) if text == "from logging"] == ["from logging"]
    assert journal["curves"] == {"loss": [0.5]}
    # One tree over both: the host's span, the job in it, and in that again a span of the host's.
    above, (trace_id, job, parent), below = (
        host["spans"]["of the host"],
        journal["spans"]["train yolo"],
        host["spans"]["own span"],
    )
    assert (parent, below[2]) == (above[1], job)
    assert {above[0], below[0]} == {trace_id}


SAMPLING = """
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
traces = TracerProvider(ParentBased(ALWAYS_OFF))
traces.add_span_processor(SimpleSpanProcessor(spans))
"""
STEPS = """
from synapse_otel.plugins.steps import BaseStep, Orchestrator, StepRegistry, StepResult
from synapse_otel.plugins.actions.train import TrainContext

class Load(BaseStep):
    name, progress_weight = "load", 1.0
    def execute(self, context):
        context.log_message("loaded")
        with trace.get_tracer("plugin").start_as_current_span("own span"):
            return StepResult()

with synapse_otel.job("train", plugin="yolo", logger=NoOpLogger()) as ctx:
    registry = StepRegistry()
    registry.register(Load())
    Orchestrator(registry, TrainContext(ctx, params={})).execute()
print(json.dumps([at_host(), in_journal()]))
"""


@pytest.mark.parametrize("mode", ["also", "not"])
def test_what_the_hosts_sampler_drops_is_in_the_journal(tmp_path, mode):
    host, journal, _errors = ran(SAMPLING + SET + STEPS, tmp_path, mode)
    if mode == "also":
        assert host["spans"] == {}, "the host's sampling is the host's"
    job, step = journal["spans"]["train yolo"], journal["spans"]["load"]
    assert set(journal["spans"]) == {"train yolo", "load"}
    assert job[2] == ""
    assert (step[0], step[2]) == (job[0], job[1])
    [loaded] = [log for log in journal["logs"] if log[1] == "loaded"]
    assert loaded[2:] == step[:2]


def test_the_host_decides_what_is_sampled_below_its_own_spans(tmp_path):
    script = """
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span
with use_span(NonRecordingSpan(SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(0)))):
    run()
print(json.dumps([at_host(), in_journal()]))
"""
    host, journal, _errors = ran(SET + script, tmp_path, "not")
    assert host["spans"] == {}, "the request was not sampled, and what the job does for it is not either"
    assert journal["spans"]["train yolo"][::2] == [f"{7:032x}", f"{8:016x}"]


def test_a_host_that_flushes_and_shuts_down_in_the_middle(tmp_path):
    script = """
with synapse_otel.job("train", plugin="yolo", logger=NoOpLogger()) as ctx:
    ctx.log_message("before")
    assert traces.force_flush() and records.force_flush() and meters.force_flush()
    traces.shutdown(); records.shutdown(); meters.shutdown()
    ctx.log_message("after")
    ctx.set_metrics({"loss": 1.0}, "train")
    with trace.get_tracer("plugin").start_as_current_span("own span"):
        pass
print(json.dumps([at_host(), in_journal()]))
"""
    _host, journal, _errors = ran(SET + script, tmp_path, "also")
    assert set(journal["spans"]) == JOB_SPANS
    assert journal["open"] == []
    assert {"before", "after"} <= {text for _name, text in names(journal["logs"])}
    assert journal["curves"] == {"loss": [1.0]}


@pytest.mark.parametrize("mode", ["also", "not"])
def test_the_child_of_a_fork_records_in_the_same_trace(tmp_path, mode):
    script = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
with synapse_otel.job("train", plugin="yolo", logger=NoOpLogger()) as ctx:
    ctx.log_message("parent")
    if not (child := os.fork()):
        ctx.log_message("child")
        ctx.set_metrics({"loss": 2.0}, "train")
        with trace.get_tracer("plugin").start_as_current_span("own span"):
            pass
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print(json.dumps([at_host(), in_journal()]))
"""
    host, journal, _errors = ran(SET + script, tmp_path, mode)
    assert {"parent", "child"} <= {text for _name, text in names(journal["logs"])}
    assert len({log[2] for log in journal["logs"]}) == 1
    assert journal["curves"] == {"loss": [2.0]}
    assert ("own span" in journal["spans"]) is (mode == "also")
    assert "child" not in {text for _name, text in names(host["logs"])}, "the host's memory of the child is gone"


def test_a_tracer_provider_that_takes_no_processor_is_said_once(tmp_path):
    script = (
        """
from opentelemetry.trace import NoOpTracerProvider
trace.set_tracer_provider(NoOpTracerProvider()); metrics.set_meter_provider(meters)
class Loggers:
    get_logger = records.get_logger
set_logger_provider(Loggers())
"""
        + BOTH
    )
    host, journal, errors = ran(script, tmp_path, "also")
    assert journal["spans"] == {}
    assert names(host["logs"]) == names(journal["logs"])
    [line] = [line for line in errors.splitlines() if "processor" in line]
    assert line == (
        "synapse-otel: spans go to opentelemetry.trace.NoOpTracerProvider alone, "
        "since it accepts no span processor; `synapse-otel doctor environment` tells more"
    )


def test_the_fixtures_of_pytest_are_as_ever(tmp_path):
    script = """
from synapse_otel.testing import recorded_job
found = []
for _ in range(2):
    with recorded_job() as job:
        job.ctx.log_message("once")
    found.append([one.body for one in job.messages])
print(json.dumps([found, {}]))
"""
    found, _journal, _errors = ran(script, tmp_path, "also")
    assert found == [["once"], ["once"]]


def test_the_log_processor_is_one_of_the_sdk():
    from opentelemetry.sdk._logs import LogRecordProcessor

    from synapse_otel.sdk.before_host import JournalLogRecordProcessor

    wanted = {name for name in vars(LogRecordProcessor) if not name.startswith("_")}
    assert wanted == {"enabled", "force_flush", "on_emit", "shutdown"}
    assert wanted <= set(dir(JournalLogRecordProcessor))


# --- killed ----------------------------------------------------------------------------------------------

KILLED = (
    """
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor
traces, records = TracerProvider(), LoggerProvider()
traces.add_span_processor(BatchSpanProcessor(spans)); records.add_log_record_processor(BatchLogRecordProcessor(logs))
"""
    + SET
    + """
with synapse_otel.job("train", plugin="yolo", logger=NoOpLogger()) as ctx:
    for number in range(1_000_000):
        ctx.log_message(f"message {number}")
        ctx.set_metrics({"loss": number}, "train")
        ctx.set_progress(number, 1_000_000, "train")
        with trace.get_tracer("plugin").start_as_current_span(f"span {number}"):
            pass
        os.write(1, f"{number}\\n".encode())
"""
)


def test_a_killed_process_loses_nothing(tmp_path, sink):
    told = tmp_path / "told"
    variables = {
        "PYTHONPATH": str(SOURCE),
        "SYNAPSE_OTEL_JOURNAL_DIR": str(tmp_path / "journals"),
        "SYNAPSE_OTEL_HOST_PROVIDERS": "also",
        "SYNAPSE_OTEL_ENDPOINT": sink.url,
    }
    with told.open("w") as out:
        job = subprocess.Popen(
            [sys.executable, "-c", HEAD + SDK + RUN + KILLED], env={**os.environ, **variables}, stdout=out
        )
    try:
        sink.wait(lambda: told.read_text().count("\n") >= 50, within=60)
    finally:
        job.kill()
        assert job.wait() == -signal.SIGKILL
    last = int(told.read_text().split("\n")[-2])
    sink.wait(lambda: any(record.event_name == "synapse.job.finished" for record in sink.logs()), within=60)
    sink.wait(lambda: "train yolo" in {span.name for span in sink.spans()}, within=30)
    assert {f"message {number}" for number in range(last + 1)} <= {body(record) for record in sink.logs()}
    ended = {span.name: span for span in sink.spans()}
    assert {f"span {number}" for number in range(last + 1)} <= set(ended)
    sink.wait(
        lambda: sink.last("synapse.job.progress.current", synapse_category="train") in {last, last + 1}, within=30
    )
    samples = [point.value for point in sink.points("synapse.job.metric")]
    merged = sink.last("synapse.job.metric.merged") or 0
    assert len(set(range(last + 1)) - set(samples)) <= merged
    killed = ended["train yolo"]
    assert attributes(killed)["error.type"] == "killed"
    assert {ended[f"span {number}"].parent_span_id for number in range(last + 1)} == {killed.span_id}
