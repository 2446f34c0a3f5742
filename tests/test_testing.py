"""The fixtures for authors of plugins: as pytest finds them, and as a context manager without it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

import synapse_otel
from synapse_otel.loggers import BaseLogger, NoOpLogger, TeeLogger
from synapse_otel.runs import Role
from synapse_otel.testing import RecordedJob, TelemetryError, recorded_job

SOURCE = Path(synapse_otel.__file__).parents[1]


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The folder that temporary files of this test are made in, for the machine's own is everybody's."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_all_that_was_recorded(synapse_job, tmp_path):
    ctx = synapse_job.ctx
    scope = synapse_job.job.root.begin_step("train", order=1, weight=1)
    with scope.activated():
        for epoch in range(3):
            ctx.set_progress(epoch + 1, 3)
            ctx.set_metrics({"loss": 1 / (epoch + 1)})
        ctx.set_metrics({"loss": 9.0}, "val")
        ctx.log("checkpoint", {"epoch": 3, "best": {"loss": 0.5}}, tmp_path / "w.pt")
    scope.end()
    ctx.set_progress(1, 2)
    ctx.log_message("half way", "warning")
    ctx.log_dev_event("cache", {"hits": 3})
    logging.getLogger("plugin").info("from logging")
    (job,) = synapse_job.spans
    assert (job.name, job.role, job.is_open) == ("test plugin", Role.JOB, True)
    assert [(step.name, step.result) for step in job.children] == [("train", "success")]
    assert synapse_job.span("train").events[-1].name == "checkpoint"
    assert synapse_job.samples("loss") == [1.0, 0.5, 1 / 3, 9.0]
    assert synapse_job.samples("loss", "train") == [1.0, 0.5, 1 / 3]
    assert synapse_job.samples("nothing") == []
    assert {category: (at.current, at.limit) for category, at in synapse_job.progress.items()} == {
        "": (1, 2),
        "train": (3, 3),
    }
    ((message,), (event,), (internal,)) = synapse_job.messages, synapse_job.events, synapse_job.developer_events
    assert (message.body, message.context, message.category) == ("half way", "warning", "test")
    assert (event.event_name, event.data) == ("checkpoint", {"epoch": 3, "best.loss": 0.5})
    assert (event.file, event.category) == (str(tmp_path / "w.pt"), "train")
    assert (internal.body, internal.data) == ("cache", {"hits": 3})
    assert [entry.body for entry in synapse_job.log_records][-1] == "from logging"
    assert synapse_job.result is None
    assert synapse_job.end() == synapse_job.result == "success"
    assert not synapse_job.spans[0].is_open


def test_a_span_that_is_not_there_says_which_are(synapse_job):
    with pytest.raises(LookupError, match="no span 'x', only 'test plugin'"):
        synapse_job.span("x")


def test_fixed_ids_and_times(fixed_synapse_job):
    job = fixed_synapse_job
    job.ctx.log_message("one")
    job.clock.advance(2.5)
    job.ctx.log_message("other")
    assert job.job.id == "job-1"
    assert (job.spans[0].trace_id, job.spans[0].span_id) == (f"{1:032x}", f"{1:016x}")
    times = [message.time for message in job.messages]
    assert times[0] == 1_704_067_200_005_000_000
    assert times[1] - times[0] == 2_501_000_000
    assert [message.uid for message in job.messages] == [f"{1:032x}-1", f"{1:032x}-2"]


def test_twice_the_same_is_recorded_the_same():
    def record():
        with recorded_job("train", plugin="yolo", fixed=True) as job:
            logging.getLogger("plugin").warning("w")
            job.ctx.set_metrics({"a": 1}, "c")
        return repr((job.recording.spans, job.recording.logs, job.recording.curves, job.recording.resource))

    assert record() == record()


def test_without_being_asked_ids_and_times_are_real(synapse_job, monkeypatch):
    assert synapse_job.clock is None
    assert int(synapse_job.spans[0].trace_id, 16) > 1 << 64
    assert synapse_job.spans[0].start > 1_704_067_200_000_000_000


def test_what_was_recorded_is_kept_after_the_job_and_no_file_is(temporary):
    with recorded_job() as job:
        job.ctx.log_message("m")
        assert list(temporary.iterdir())
    assert not list(temporary.iterdir())
    assert [message.body for message in job.messages] == ["m"]
    assert job.result == "success"
    assert not job.spans[0].is_open


def test_each_job_starts_from_nothing():
    for number in range(3):
        with recorded_job(job_id=f"job-{number}") as job:
            job.ctx.set_progress(1, 2)
            job.ctx.log_message("m")
            assert [message.attributes["synapse.job.id"] for message in job.messages] == [f"job-{number}"]
            assert len(job.spans) == len(job.progress) == 1


def test_between_jobs_nothing_is_written(temporary):
    with recorded_job():
        pass
    logging.getLogger("plugin").error("between")
    synapse_otel.RuntimeContext(NoOpLogger()).log_message("between")
    assert not list(temporary.iterdir())
    assert not (Path(os.environ["XDG_STATE_HOME"]) / "synapse-otel").exists()


def test_an_exception_ends_the_job_and_goes_on():
    error = ValueError("bad")
    with pytest.raises(ValueError, match="bad") as raised, recorded_job() as job:
        raise error
    assert raised.value is error
    assert job.result == "failure"
    assert job.spans[0].error == "ValueError: bad"


def test_the_arguments_are_those_of_a_job():
    with recorded_job(
        "export", plugin="coco", version="1.2", category="c", params={"a": 1}, checkpoint={"path": "/m"}, env={"K": "v"}
    ) as job:
        assert job.ctx.env.get("K") == "v"
        assert job.ctx.checkpoint == {"path": "/m"}
    span = job.spans[0]
    assert span.name == "export coco"
    assert span.attributes["synapse.plugin.version"] == "1.2"
    assert span.attributes["synapse.params.a"] == 1
    assert job.recording.resource["service.name"] == "coco"


def test_a_job_that_the_plugin_starts_itself_is_recorded_too(capfd):
    with recorded_job() as outer:
        with synapse_otel.job("train", plugin="yolo", logger=NoOpLogger()) as ctx:
            ctx.log_message("inside")
            ctx.end_log()
        outer.ctx.log_message("outside")
    assert outer.span("train yolo").parent_id == outer.spans[0].span_id
    assert [message.body for message in outer.messages if message.attributes.get("synapse.message.code") is None] == [
        "inside",
        "outside",
    ]
    assert capfd.readouterr() == ("", "")


def test_one_inside_another():
    with recorded_job(plugin="outer") as outer:
        outer.ctx.log_message("before")
        with recorded_job(plugin="inner") as inner:
            inner.ctx.log_message("inside")
        outer.ctx.log_message("after")
    assert [message.body for message in outer.messages] == ["before", "after"]
    assert [message.body for message in inner.messages] == ["inside"]


# --- failures of telemetry -------------------------------------------------------------------------------


class Broken(BaseLogger):
    def _log_impl(self, event, data, file, step, level=None):
        raise ZeroDivisionError("view")

    def _on_progress(self, progress, step):
        raise ZeroDivisionError("view")


@pytest.mark.parametrize("logger", [Broken, lambda: TeeLogger(Broken(), NoOpLogger())], ids=["alone", "in a tee"])
def test_what_a_view_raises_is_raised(logger):
    with recorded_job(logger=logger()) as job:
        with pytest.raises(ZeroDivisionError, match="view"):
            job.ctx.log_message("m")
        with pytest.raises(ZeroDivisionError, match="view"):
            job.ctx.set_progress(1, 2)
        assert [message.body for message in job.messages] == ["m"], "it was recorded before"


def test_outside_of_a_test_it_is_contained(synapse_job):
    logger = Broken()
    synapse_job.end()
    from synapse_otel import _guard as contained

    raising, contained._raising[:] = list(contained._raising), []
    try:
        logger.info("m")
    finally:
        contained._raising[:] = raising


def test_what_the_handler_of_logging_raises_is_raised(synapse_job, monkeypatch):
    from synapse_otel.mapping.python_logging import handler as stdlib

    def broken(*_arguments):
        raise ZeroDivisionError("handler")

    monkeypatch.setattr(stdlib, "logger_provider", broken)
    with pytest.raises(ZeroDivisionError, match="handler"):
        logging.getLogger("plugin").warning("m")


def test_a_journal_that_cannot_be_written_is_raised(synapse_job):
    synapse_job.close()
    synapse_job.folder.chmod(0o500)
    recorder = synapse_job._recorder
    recorder._roots.folders = [synapse_job.folder / "run" / "nowhere"]
    (synapse_job.folder / "run").touch()
    with pytest.raises(TelemetryError, match="no journal can be written"):
        synapse_job.ctx.log_message("m")
    synapse_job.folder.chmod(0o700)


def test_in_threads_too():
    found = []

    def work(ctx):
        try:
            ctx.log_message("m")
        except ZeroDivisionError as error:
            found.append(error)

    with recorded_job(logger=Broken()) as job:
        thread = threading.Thread(target=work, args=(job.ctx,))
        thread.start()
        thread.join()
    assert len(found) == 1


# --- processes of their own ------------------------------------------------------------------------------


def python(script: str, *arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    command = [sys.executable, *arguments] if arguments else [sys.executable, "-W", "error", "-c", script]
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False)


def test_without_pytest(tmp_path):
    script = """
import sys
sys.modules["pytest"] = None
from synapse_otel.testing import recorded_job
with recorded_job("train", plugin="yolo") as job:
    job.ctx.log_message("m")
print(job.result, len(job.messages))
"""
    ended = python(script, cwd=tmp_path)
    assert (ended.stdout, ended.stderr) == ("success 1\n", "")


@pytest.mark.parametrize(
    ("signal", "api", "sdk", "name"),
    [
        ("traces", "trace", "sdk.trace", "TracerProvider"),
        ("metrics", "metrics", "sdk.metrics", "MeterProvider"),
        ("logs", "_logs", "sdk._logs", "LoggerProvider"),
    ],
)
def test_a_host_with_providers_of_its_own_is_told(tmp_path, signal, api, sdk, name):
    setter = {"traces": "set_tracer_provider", "metrics": "set_meter_provider", "logs": "set_logger_provider"}[signal]
    script = f"""
from opentelemetry.{api} import {setter}
from opentelemetry.{sdk} import {name}
from synapse_otel.testing import recorded_job
{setter}({name}())
with recorded_job():
    pass
"""
    ended = python(script, cwd=tmp_path)
    assert f"RuntimeError: the OpenTelemetry providers of {signal} are set already" in ended.stderr


def test_after_configure_it_records_there_and_gives_it_back(tmp_path):
    script = """
import synapse_otel, os
from pathlib import Path
from synapse_otel.loggers import NoOpLogger
from synapse_otel.testing import recorded_job
from synapse_otel.journal.folder import run_folders
from synapse_otel.runs import Recording
synapse_otel.configure(shipper="off")
with synapse_otel.job("train", plugin="real", logger=NoOpLogger()) as ctx:
    ctx.log_message("real")
with recorded_job(plugin="test") as job:
    job.ctx.log_message("test")
with synapse_otel.job("train", plugin="real", logger=NoOpLogger()) as ctx:
    ctx.log_message("real again")
assert [message.body for message in job.messages] == ["test"], job.messages
root = Path(os.environ["XDG_STATE_HOME"]) / "synapse-otel"
bodies = [entry.body for folder in run_folders(root) for entry in Recording.read(folder).logs if entry.context]
assert sorted(bodies) == ["real", "real again"], bodies
try:
    with recorded_job(fixed=True): pass
except RuntimeError as error:
    print(error)
"""
    ended = python(script, cwd=tmp_path, XDG_STATE_HOME=str(tmp_path / "state"))
    assert ended.stdout.startswith("ids cannot be fixed: configure() or job() has already set up"), ended.stderr


def test_where_the_sdk_is_disabled_it_says_so(tmp_path):
    script = "from synapse_otel.testing import recorded_job\nwith recorded_job(): pass"
    ended = python(script, cwd=tmp_path, OTEL_SDK_DISABLED="true")
    assert "OTEL_SDK_DISABLED is set" in ended.stderr


TESTS = """
import logging

def test_one(synapse_job):
    synapse_job.ctx.log_message("m")
    assert [message.body for message in synapse_job.messages] == ["m"]

def test_other(synapse_job, caplog):
    logging.getLogger("plugin").info("i")
    assert synapse_job.log_records[-1].body == caplog.messages[-1] == "i"
    synapse_job.ctx.set_metrics({"loss": 0.5}, "train")
    assert synapse_job.samples("loss") == [0.5]

def test_fixed(fixed_synapse_job):
    assert fixed_synapse_job.job.id == "job-1"

def test_none():
    assert "synapse_otel.testing.recorded" in __import__("sys").modules
"""


def test_the_plugin_of_pytest_in_a_suite_of_somebody_elses(tmp_path):
    suite = tmp_path / "test_plugin.py"
    suite.write_text(TESTS)
    command = ["-m", "pytest", "-p", "synapse_otel.testing", "-p", "no:cacheprovider", "-W", "error", "-q", str(suite)]
    ended = python("", *command, cwd=tmp_path, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert "4 passed" in ended.stdout, ended.stdout + ended.stderr


OTHER_TESTS = """
import sys

def test():
    loaded = {name for name in sys.modules if name.startswith(("opentelemetry", "synapse_otel"))}
    assert loaded == {"synapse_otel", "synapse_otel.testing", "synapse_otel.testing.fixtures"}
"""


def test_a_suite_that_does_not_use_it_does_not_pay_for_it(tmp_path):
    suite = tmp_path / "test_other.py"
    suite.write_text(OTHER_TESTS)
    command = ["-m", "pytest", "-p", "synapse_otel.testing", "-p", "no:cacheprovider", "-q", str(suite)]
    ended = python("", *command, cwd=tmp_path, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert "1 passed" in ended.stdout, ended.stdout + ended.stderr


def test_the_public_names_of_testing():
    from synapse_otel import testing

    assert testing.__all__ == sorted(testing.__all__)
    assert testing.RecordedJob is RecordedJob
    with pytest.raises(AttributeError):
        _ = testing.nothing
