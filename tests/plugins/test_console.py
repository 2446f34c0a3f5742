"""What the person who runs a plugin sees without a terminal: plain lines."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from synapse_otel.loggers import ConsoleLogger, NoOpLogger, TeeLogger
from synapse_otel.plugins.loggers import track
from synapse_otel.plugins.loggers.console import logger as console
from synapse_otel.plugins.loggers.console import pace
from synapse_otel.plugins.loggers.console.amounts import duration, number, rate, remaining
from synapse_otel.plugins.loggers.console.lines import compact
from synapse_otel.plugins.loggers.track import Track
from synapse_otel.plugins.steps import Orchestrator
from tests.plugins.recording import context_of
from tests.plugins.workflows import Shared, Step, registry_of

SOURCE = Path(__file__).parents[2] / "src"


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for module in (console, pace, track):
        monkeypatch.setattr(module, "monotonic", clock)
    return clock


@pytest.fixture
def plain(recorded, clock, capsys):
    """A context that shows plain lines, and what reads them without their times."""
    ctx = context_of(recorded.job, ConsoleLogger())

    def lines():
        out = capsys.readouterr().out
        return [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in out.splitlines()]

    yield ctx, lines
    ctx.logger.finish()


# --- without a terminal


def test_plain_lines(plain):
    ctx, lines = plain
    ctx.log_message("Training started")
    ctx.log_message("Disk nearly full", "warning", category="train")
    ctx.log("checkpoint", {"epoch": 5, "loss": 0.123456, "more": {"a": "b c"}}, "/path/to/file")
    ctx.log_dev_event("Look", {"x": 1})
    ctx.set_metrics({"loss": 0.05, "accuracy": 0.95}, "train")
    ctx.log_metric("val", "loss", 0.5, accuracy=0.75)
    assert lines() == [
        "info     Training started",
        "warning  train  Disk nearly full",
        "info     checkpoint epoch=5 loss=0.1235 more.a=b c file=/path/to/file",
        "dev      Look x=1",
        "metrics  train  loss=0.05 accuracy=0.95",
        "metrics  val  loss=0.5 accuracy=0.75",
    ]


def test_at_most_one_line_of_progress_a_second(plain, clock):
    ctx, lines = plain
    for current in range(80):
        ctx.set_progress(current, 1000, "train")
        ctx.set_progress(current, 2000)
        clock.now += 0.031
    assert lines() == [
        "progress train  3%  33/1000  32.3/s  eta 0:29",
        "progress total  1%  33/2000  32.3/s  eta 1:00",
        "progress train  6%  66/1000  32.3/s  eta 0:28",
        "progress total  3%  66/2000  32.3/s  eta 0:59",
    ]
    ctx.logger.finish()
    assert lines() == [
        "progress train  7%  79/1000  31.9/s  stopped after 2.5s",
        "progress total  3%  79/2000  31.9/s  stopped after 2.5s",
    ]


def test_what_was_shown_under_way_is_said_to_have_stopped(plain, clock):
    ctx, lines = plain
    ctx.set_progress(0, 1000, "train")
    ctx.set_progress(0, 10, "load")
    clock.now += 1.5
    ctx.set_progress(500, 1000, "train")
    ctx.set_progress(10, 10, "load")
    assert lines() == [
        "progress train  50%  500/1000  333.3/s  eta 1.5s",
        "progress load  100%  10/10  6.7/s  took 1.5s",
    ]
    ctx.logger.finish()
    assert lines() == ["progress train  50%  500/1000  333.3/s  stopped after 1.5s"]


def test_a_short_phase_is_one_line(plain, clock):
    ctx, lines = plain
    for current in range(11):
        ctx.set_progress(current, 10, "load")
        clock.now += 0.01
    assert lines() == ["progress load  100%  10/10  100/s  took 0.1s"]
    ctx.logger.finish()
    assert lines() == []


def test_metrics_in_a_tight_loop_keep_the_last(plain, clock):
    ctx, lines = plain
    for step in range(500):
        ctx.set_metrics({"loss": step}, "train")
        clock.now += 0.001
    assert lines() == ["metrics  train  loss=0"]
    ctx.logger.finish()
    assert lines() == ["metrics  train  loss=499"]


def test_a_failed_phase(plain, clock):
    ctx, lines = plain
    ctx.set_progress(3, 10, "train")
    clock.now += 2
    ctx.logger.set_progress_failed("train")
    assert lines() == ["progress train  30%  3/10  took 2.0s  failed"]


def test_output_that_lacks_letters_never_raises(recorded, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    ctx = context_of(recorded.job, ConsoleLogger())
    ctx.log_message("업로드 é", "success")
    ctx.log("e", {"k": "…"})
    sys.stdout.flush()
    assert "??? é" in raw.getvalue().decode("latin-1")
    assert len(raw.getvalue().splitlines()) == 2


def test_no_output_at_all(recorded, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    ctx = context_of(recorded.job, ConsoleLogger())
    ctx.log_message("Hello")
    ctx.logger.finish()
    assert recorded.messages()


def test_a_closed_output_is_contained(recorded, monkeypatch, caplog):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    ctx = context_of(recorded.job, ConsoleLogger())
    ctx.log_message("one")
    ctx.log_message("two")
    assert len(recorded.messages()) == 2
    assert len(caplog.records) == 1


class Unprintable:
    """Its repr fails."""

    def __repr__(self):
        raise ValueError("no")


def test_data_of_any_kind_is_shown_in_short():
    cycle: dict[str, object] = {}
    cycle["self"] = cycle
    text = compact({"c": cycle, "u": Unprintable(), "s": "x" * 10_000, "l": list(range(1000)), "n": float("nan")})
    assert len(text) < 1500
    assert "\n" not in compact({"a": "two\nlines", "b": {"c": [1, 2]}})
    assert compact({"a": "two\nlines", "b": {"c": [1, 2]}}) == "a=two lines b.c=[1, 2]"


def test_rich_is_loaded_when_there_is_a_terminal():
    use = "import sys; from synapse_otel.loggers import ConsoleLogger; ConsoleLogger().info('x')"
    code = f"{use}; assert 'rich' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(SOURCE)}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert b"x" in done.stdout


# --- amounts


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0s"), (9.94, "9.9s"), (10, "0:10"), (75, "1:15"), (600, "10:00"), (3725, "1:02:05")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(5, "5"), (9999, "9999"), (12345, "12.35k"), (2.5e6, "2.5M"), (3e9, "3G"), (0.5, "0.5")]
)
def test_numbers(value, text):
    assert number(value) == text


def test_a_slow_rate_is_by_the_minute(clock):
    slow = Track(0, 10)
    assert (rate(slow), remaining(slow)) == ("", "")
    clock.now += 30
    slow.current = 1
    assert (rate(slow), remaining(slow)) == ("2.0/min", "eta 4:30")


def test_a_second_pass_has_a_clock_of_its_own(plain, clock):
    ctx, _lines = plain
    for current in (0, 5, 10, 1, 2):
        ctx.set_progress(current, 10, "c")
        clock.now += 10
    assert ctx.logger.get_progress("c").elapsed_time == 20
    assert ctx.logger.get_progress("c").time_remaining == 160


# --- the steps of a workflow


def test_the_steps_of_a_workflow_as_a_tree(plain, clock):
    ctx, lines = plain

    def inner(context):
        Orchestrator(registry_of(Step("resize"), Step("crop", skip=True)), Shared(context.runtime_ctx)).execute()

    def failing(_context):
        clock.now += 3
        raise KeyError("no\x1b room")

    def broken(_context, _result):
        raise OSError("busy")

    steps = Step("load", undo=broken), Step("prepare", work=inner), Step("train", work=failing)
    with pytest.raises(RuntimeError):
        Orchestrator(registry_of(*steps), Shared(ctx)).execute()
    assert [line for line in lines() if line.startswith("step ")] == [
        "step     load  begins",
        "step     load  done after 0.0s",
        "step     prepare  begins",
        "step       resize  begins",
        "step       resize  done after 0.0s",
        "step       crop  skipped",
        "step     prepare  done after 0.0s",
        "step     train  begins",
        r"step     train  failed after 3.0s: 'no\x1b room'",
        "step     train  rolled back",
        "step     prepare  rolled back",
        "step     load  rollback failed: busy",
    ]


def test_the_steps_are_shown_on_each_logger_of_a_tee(recorded, capsys):
    ctx = context_of(recorded.job, TeeLogger(ConsoleLogger(), NoOpLogger()))
    Orchestrator(registry_of(Step("load")), Shared(ctx)).execute()
    assert capsys.readouterr().out.count("step     load  ") == 2
