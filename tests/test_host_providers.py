"""With the host's own providers, those are used and none is replaced; with none at all, nothing happens."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.hosts import HEAD, RUN, SDK, python, written

NOTHING = """
from synapse_otel.loggers import NoOpLogger
from synapse_otel.plugins.context import RuntimeContext
from synapse_otel.mapping.start_job import JobSpec, start_job

plugin(RuntimeContext(NoOpLogger(), job_id="alone"))
job = start_job(JobSpec(action="train", plugin="yolo", job_id="job-1", params={"a": 1}))
with job.root.activated():
    ctx = RuntimeContext(NoOpLogger(), job_id="job-1")
    plugin(ctx)
    ctx.end_log()
    step = job.root.begin_step("s", order=1, weight=1)
    with step.activated():
        plugin(ctx)
    step.end("failure", exception=ValueError("x"))
result = job.end()
print(json.dumps([result, sorted(name for name in sys.modules if name.startswith("opentelemetry.sdk"))]))
"""


def test_without_a_provider_nothing_happens(tmp_path):
    output, errors = python(HEAD + NOTHING, tmp_path)
    result, loaded = json.loads(output)
    assert result == "success"
    assert loaded == []
    assert errors == ""
    assert written(tmp_path) == []


def test_a_plain_sdk_set_up_is_used_and_not_replaced(tmp_path):
    script = """
trace.set_tracer_provider(traces); metrics.set_meter_provider(meters); set_logger_provider(records)
run()
assert trace.get_tracer_provider() is traces
assert metrics.get_meter_provider() is meters
assert get_logger_provider() is records
print(json.dumps({
    "spans": {span.name: span.parent.span_id if span.parent else None for span in spans.get_finished_spans()},
    "logs": [[found.log_record.event_name, found.log_record.body] for found in logs.get_finished_logs()],
    "series": [series(reader) for reader in readers],
}))
"""
    output, errors = python(HEAD + SDK + RUN + script, tmp_path)
    found = json.loads(output)
    assert set(found["spans"]) == {"train yolo (started)", "own span", "train yolo"}
    assert found["spans"]["train yolo"] is None
    assert ["synapse.message", "half way"] in found["logs"]
    assert ["saved", None] in found["logs"]
    for series in found["series"]:
        assert series["synapse.job.progress load"] == 1.0
        assert series["synapse.job.items load"] == 4
        assert series["synapse.job.metric train"] == 0.5
        assert series["synapse.job.metric.updates train"] == 1
        assert "synapse.job.duration" in series
    assert written(tmp_path) == []
    (line,) = errors.splitlines()
    assert re.match(r"synapse-otel: train-yolo-job-1: success in ", line)
    assert "delivered" not in line


def test_a_jobs_series_end_some_time_after_it(tmp_path):
    script = """
from synapse_otel.mapping import instruments
clock = [1000.0]
instruments.monotonic = lambda: clock[0]
trace.set_tracer_provider(traces); metrics.set_meter_provider(meters); set_logger_provider(records)

def observed(reader):
    return {name: value for name, value in series(reader).items() if name.startswith("synapse.job.progress")}

found = []
with synapse_otel.job("train", plugin="yolo", logger=NoOpLogger()) as ctx:
    ctx.set_progress(1, 4, "load")
    found.append(observed(readers[0]))
    ctx.set_progress(4, 4, "load")
found.append(observed(readers[0]))                    # the last value, by the first reader that comes
found.append(observed(readers[1]))                    # and by the second
clock[0] += instruments.ENDED_SECONDS
found.append(observed(readers[0]))
with synapse_otel.job("train", plugin="yolo", job_id="job-2", logger=NoOpLogger()) as ctx:
    ctx.set_progress(2, 4, "load")
clock[0] += 10 * instruments.ENDED_SECONDS
found.append(observed(readers[1]))                    # late, but it has not seen the last value yet
found.append(observed(readers[1]))
print(json.dumps([each.get("synapse.job.progress load") for each in found]))
"""
    output, _errors = python(HEAD + SDK + RUN + script, tmp_path)
    assert json.loads(output) == [0.25, 1.0, 1.0, None, 0.5, None]


def test_many_ended_jobs_do_not_pile_up(tmp_path):
    script = """
from synapse_otel.mapping.start_job import JobSpec, start_job
from synapse_otel.mapping import instruments
trace.set_tracer_provider(traces)
for number in range(instruments.ENDED_LIMIT + 20):
    start_job(JobSpec(action="train", plugin="yolo"), live_spans="off").end()
print(len(instruments.JOB_ATTRIBUTES))
"""
    output, _errors = python(HEAD + SDK + script, tmp_path)
    assert int(output) == 256


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_a_host_that_has_set_some_keeps_those(tmp_path, signal):
    script = f"""
signal = {signal!r}
if signal == "traces": trace.set_tracer_provider(traces)
if signal == "metrics": metrics.set_meter_provider(meters)
if signal == "logs": set_logger_provider(records)
synapse_otel.configure(shipper="off")
run()
mine = {{"traces": traces, "metrics": meters, "logs": records}}
now = {{"traces": trace.get_tracer_provider(), "metrics": metrics.get_meter_provider(), "logs": get_logger_provider()}}
assert [name for name in now if now[name] is mine[name]] == [signal]

from pathlib import Path
from synapse_otel.journal.folder import run_folders
from synapse_otel.runs import Recording
(folder,) = run_folders(Path(os.environ["XDG_STATE_HOME"]) / "synapse-otel")
journal = Recording.read(folder)
sent = spans.get_finished_spans()
print(json.dumps({{
    "journal": [len(list(journal.walk())) + len(journal.markers), len(journal.curves), len(journal.logs)],
    "host": [len(sent), "synapse.job.metric train" in series(readers[0]), len(logs.get_finished_logs())],
    "traces": list({{log.trace_id for log in journal.logs}} | {{f"{{span.context.trace_id:032x}}" for span in sent}}),
}}))
"""
    output, errors = python(HEAD + SDK + RUN + script, tmp_path)
    found = json.loads(output)
    places = ["traces", "metrics", "logs"]
    for place, name in enumerate(places):
        assert bool(found["host"][place]) is (name == signal)
        assert bool(found["journal"][place]) is (name != signal)
    assert len(found["traces"]) == 1 or signal == "logs"
    assert "delivered 0" in errors


def test_under_opentelemetry_instrument(tmp_path):
    exporters = {f"OTEL_{signal}_EXPORTER": "console" for signal in ("TRACES", "METRICS", "LOGS")}
    command = [str(Path(sys.executable).with_name("opentelemetry-instrument")), sys.executable]
    script = HEAD + RUN + "\nrun()\n"
    output, errors = python(script, tmp_path, *command, OTEL_SERVICE_NAME="host", **exporters)
    for text in (
        '"name": "train yolo"',
        '"name": "own span"',
        '"synapse.job.progress"',
        '"half way"',
        '"service.name": "host"',
    ):
        assert text in output, output
    assert '"name": "synapse.job.metric"' in output
    assert written(tmp_path) == []
    assert re.search(r"synapse-otel: train-yolo-job-1: success in ", errors)
