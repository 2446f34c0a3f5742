"""What the person who runs a plugin sees, on a terminal and without one."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from rich.console import Console

from synapse_otel.loggers import ConsoleLogger
from synapse_otel.plugins.loggers import live, pace, track
from synapse_otel.plugins.loggers.amounts import duration, number, rate, remaining
from synapse_otel.plugins.loggers.lines import compact
from synapse_otel.plugins.loggers.live import bar_table
from synapse_otel.plugins.loggers.track import Track
from tests.plugins.recording import context_of

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
    for module in (live, pace, track):
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


@pytest.fixture
def terminal(recorded, clock):
    """A context that shows on a terminal of a width, and the text that the terminal got."""
    loggers = []

    def make(width=100, **options):
        file = io.StringIO()
        console = Console(file=file, force_terminal=True, width=width, height=20, **options)
        loggers.append(ConsoleLogger(console))
        return context_of(recorded.job, loggers[-1]), file

    yield make
    for logger in loggers:
        logger.finish()


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
        "progress train  7%  79/1000  31.9/s  eta 0:28",
        "progress total  3%  79/2000  31.9/s  eta 1:00",
    ]


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


# --- on a terminal


def test_colours_tell_how_a_message_is_meant(terminal):
    ctx, file = terminal()
    for word in ("info", "success", "warning", "danger"):
        ctx.log_message(word, word)
    info, success, warning, danger = file.getvalue().splitlines()
    assert "\x1b[34minfo" in info
    assert "\x1b[32msuccess" in success
    assert "\x1b[33mwarning" in warning
    assert "\x1b[31mdanger" in danger


def test_no_color_is_respected(terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    ctx, file = terminal()
    ctx.log_message("Careful", "danger")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", file.getvalue())


def test_markup_in_a_message_is_text(terminal):
    ctx, file = terminal()
    ctx.log_message("[bold]not bold[/bold] [/]")
    assert "[bold]not bold[/bold] [/]" in file.getvalue()


def test_a_bar_with_rate_and_remaining_time_for_each_category(terminal, clock):
    ctx, file = terminal()
    ctx.set_progress(0, 100, "download")
    clock.now += 5
    ctx.set_progress(50, 100, "download")
    ctx.set_progress(10, 40, "train")
    clock.now += 1
    ctx.set_progress(11, 40, "train")
    shown = file.getvalue()
    for text in ("download", "train", "50%", "50/100", "10/s", "eta 5.0s", "━"):
        assert text in shown
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l"), "a job killed now would leave no cursor"
    before = threading.active_count()
    ctx.logger.finish()
    assert threading.active_count() == before
    assert "\x1b[?25h" in file.getvalue()
    last = [line for line in file.getvalue().splitlines() if "progress" in line][-2:]
    assert "download" in last[0]
    assert "11/40" in last[1]


def test_it_draws_ten_times_a_second_at_most(terminal, clock):
    ctx, file = terminal()
    ctx.set_progress(0, 10_000, "train")
    drawn = file.tell()
    for current in range(1000):
        ctx.set_progress(current, 10_000, "train")
    assert file.tell() == drawn
    clock.now += live.REFRESH_SECONDS
    ctx.set_progress(1001, 10_000, "train")
    assert file.tell() > drawn


def test_what_the_plugin_prints_stands_above_the_bars(terminal, clock):
    ctx, file = terminal()
    ctx.set_progress(1, 10, "train")
    stdout = sys.stdout
    print("from the plugin")
    ctx.set_progress(10, 10, "train")
    assert "from the plugin" in file.getvalue()
    assert file.getvalue().rstrip().splitlines()[-1].count("100%") == 1
    assert sys.stdout is not stdout


def test_a_phase_that_is_over_becomes_a_line(terminal, clock):
    ctx, file = terminal()
    for current in range(11):
        ctx.set_progress(current, 10, "load")
        clock.now += 0.2
    assert "took 2.0s" in file.getvalue()
    ctx.logger.finish()
    assert file.getvalue().count("took 2.0s") == 1


def test_many_short_passes_are_no_flood(terminal):
    ctx, file = terminal()
    for _epoch in range(50):
        for current in range(4):
            ctx.set_progress(current, 3, "batches")
    ctx.logger.finish()
    assert file.getvalue().count("took") - file.getvalue().count("\x1b[2K") <= 2


@pytest.mark.parametrize("width", [1, 5, 20, 43, 44, 60, 75, 76, 200])
def test_bars_fit_the_window(width):
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=10)
    tracks = {None: Track(1, 3), "a very long name of a category, longer than most windows": Track(5_000_000, 9e9)}
    rendered = console.render_lines(bar_table(tracks, width, 10), pad=False)
    assert len(rendered) == 2
    assert all(sum(segment.cell_length for segment in line) <= width for line in rendered)


def test_no_more_bars_than_the_window_is_high():
    tracks = {str(number): Track(1, 3) for number in range(100)}
    assert bar_table(tracks, 80, 10).row_count == 8
    assert bar_table(tracks, 80, 1).row_count == 1


PROGRAM = """
import sys
from synapse_otel.plugins.context import RuntimeContext
ctx = RuntimeContext()
ctx.log_message("Hello", "success")
ctx.set_progress(1, 4, "train")
print("printed")
ctx.set_progress(2, 4, "train")
if sys.argv[1:] == ["end"]:
    ctx.set_progress(4, 4, "train")
    ctx.logger.finish()
"""


def on_a_terminal(*arguments, **environ):
    ours, theirs = pty.openpty()
    clean = {key: value for key, value in os.environ.items() if key not in {"CI", "NO_COLOR", "FORCE_COLOR"}}
    env = {**clean, "PYTHONPATH": str(SOURCE), "TERM": "xterm-256color", "COLUMNS": "80", **environ}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    chunks = []
    try:
        while chunk := os.read(ours, 65536):
            chunks.append(chunk)
    except OSError:
        pass  # Linux says so when the other end of a terminal is closed
    os.close(ours)
    assert process.wait() == 0
    return b"".join(chunks).decode()


@pytest.mark.parametrize("arguments", [["end"], []], ids=["finished", "left open"])
def test_a_real_terminal_is_left_clean(arguments):
    shown = on_a_terminal(*arguments)
    assert "\x1b[32m" in shown
    assert "printed\r\n" in shown
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l")
    last = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.splitlines()[-1])
    assert ("4/4" if arguments else "2/4") in last


@pytest.mark.parametrize("environ", [{"CI": "true"}, {"TERM": "dumb"}])
def test_a_terminal_that_nobody_watches_gets_plain_lines(environ):
    shown = on_a_terminal("end", **environ)
    assert "\x1b" not in shown
    assert "progress train  100%  4/4" in shown


def test_no_color_on_a_real_terminal():
    shown = on_a_terminal("end", NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", shown)


def test_a_terminal_without_unicode():
    assert "100%" in on_a_terminal("end", PYTHONIOENCODING="ascii")


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
