"""Where the lines of a console go: pipes that nobody reads, a full disk, a notebook, a console of somebody's own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys

import nbclient
import nbformat
import pytest
from rich.console import Console

from synapse_otel.loggers import ConsoleLogger
from synapse_otel.plugins.loggers.console.terminal.nonblocking import NonBlockingOutput
from tests.plugins.recording import context_of
from tests.plugins.terminal import environment

PROGRAM = """
import sys, time
from synapse_otel.plugins.context import RuntimeContext
ctx = RuntimeContext()
for number in range(int(sys.argv[1])):
    ctx.log_message(f"number {number}")
print("printed", file=sys.stderr)
"""


def start(*arguments, stdout=subprocess.PIPE, **variables):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**variables),
    )


def test_a_reader_that_leaves_does_not_fail_the_job():
    with start("2000") as process:
        assert process.stdout.readline().endswith("number 0\n")
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (0, "printed\n")


def test_a_reader_that_stops_is_not_waited_for_again_and_misses_only_what_is_too_much(monkeypatch):
    monkeypatch.setattr("synapse_otel.plugins.loggers.console.terminal.nonblocking.PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr("synapse_otel.plugins.loggers.console.terminal.nonblocking._KEPT_BYTES", 1000)
    reading, writing = os.pipe()
    outlet = NonBlockingOutput(writing)
    for number in range(20_000):  # at 0.2 s each, this would take more than an hour
        outlet.line(b"number %d\n" % number)
    os.set_blocking(reading, False)
    read = b""
    with contextlib.suppress(BlockingIOError):
        while True:
            read += os.read(reading, 4096)
    outlet.line(b"the last\n")
    assert outlet.close() == 0
    os.close(writing)
    with os.fdopen(reading, "rb") as rest:
        *shown, note, last = (read + rest.read()).splitlines()
    assert shown == [b"number %d" % number for number in range(len(shown))]
    assert note == b"(%d lines are not shown: nobody read them)" % (20_000 - len(shown))
    assert last == b"the last"


def test_what_nobody_has_read_is_said_at_the_end(recorded, monkeypatch, caplog):
    monkeypatch.setattr("synapse_otel.plugins.loggers.console.terminal.nonblocking.PATIENCE_SECONDS", 0.05)
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", closefd=True) as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        ctx = context_of(recorded.job, ConsoleLogger())
        for _ in range(1000):
            ctx.log_message("x" * 100)
        ctx.logger.finish()
    os.close(reading)
    assert len(recorded.messages()) == 1000
    (said,) = [record.getMessage() for record in caplog.records]
    missed = int(said.split()[0])
    assert 300 < missed < 1000
    assert said.endswith("lines are not shown: nobody reads standard output (the recorded data is complete)")


def test_a_slow_reader_gets_every_line():
    with start("20000") as process:
        lines = [process.stdout.readline() for _ in range(20_000)]
        assert not process.stdout.read()
    assert [line.split()[-1] for line in lines] == [str(number) for number in range(20_000)]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_is_said_once_and_does_not_fail_the_job():
    with open("/dev/full", "w") as full, start("100", stdout=full) as process:
        said = process.stderr.read()
    assert process.returncode == 0
    assert said.count("ConsoleLogger cannot show everything (logged once") == 1
    assert "No space left on device" in said


def test_what_the_plugin_printed_comes_first():
    program = "import os; from synapse_otel.loggers import ConsoleLogger; logger = ConsoleLogger()\n"
    program += "for n in range(3): print('printed', n); logger.info(f'logged {n}')"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=True
    )
    assert [line.split(maxsplit=1)[-1].split()[-1] for line in done.stdout.splitlines()] == list("001122")


def test_colours_without_a_terminal_when_they_are_asked_for():
    with start("1", FORCE_COLOR="1") as process:
        assert "\x1b[34minfo" in process.stdout.read()
    with start("1", FORCE_COLOR="1", NO_COLOR="1") as process:
        assert "\x1b" not in process.stdout.read()


# --- a console of somebody's own


def test_a_rich_console_gets_lines_and_bars(recorded):
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100, height=20, record=True)
    ctx = context_of(recorded.job, ConsoleLogger(console))
    ctx.log_message("[bold]not bold[/bold] [/]", "success")
    ctx.set_progress(1, 4, "train")
    assert "25%" in file.getvalue()
    ctx.logger.finish()
    assert console.export_text().splitlines()[0].endswith("success  [bold]not bold[/bold] [/]")
    assert file.getvalue().rstrip().splitlines()[-1].count("25%") == 1


def test_a_rich_console_that_is_a_file_gets_lines_only(recorded):
    console = Console(file=io.StringIO(), width=100)
    ctx = context_of(recorded.job, ConsoleLogger(console))
    ctx.set_progress(1, 4, "train")
    ctx.log_message("Hello")
    ctx.logger.finish()
    assert "\x1b" not in console.file.getvalue()
    assert "Hello" in console.file.getvalue()


# --- a notebook

CELLS = (
    """
from synapse_otel.plugins.context import RuntimeContext
ctx = RuntimeContext()
ctx.log_message("begin <b>")
for n in range(20_000):
    ctx.set_progress(n + 1, 20_000, "train <i>")
    ctx.set_metrics({"batch": n}, "train <i>")
ctx.log_message("end", "success")
""",
    "ctx.set_progress(1, 2)",
    "ctx.set_progress(2, 2); ctx.logger.finish()",
)


@pytest.fixture(scope="module")
def notebook():
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment().items():
            patch.setenv(name, value)
        nbclient.NotebookClient(made, timeout=120, kernel_name="python3").execute()
    return made


def test_a_notebook_keeps_one_display_of_what_moves_and_the_lines(notebook):
    first, display, last = notebook.cells[0].outputs
    assert first["text"].endswith("info     begin <b>\n")
    assert last["text"].endswith("success  end\n")
    bar, metrics = display["data"]["text/plain"].splitlines()
    assert bar.startswith("train <i> ━━━")
    assert "100%" in bar
    assert metrics == "train <i>  batch=19999"
    assert "<i>" not in display["data"]["text/html"]
    assert "train &lt;i&gt;" in display["data"]["text/html"]
    assert "\x1b" not in str(notebook)


def test_each_cell_of_a_notebook_has_its_display(notebook):
    half, whole = (cell.outputs[0]["data"]["text/plain"] for cell in notebook.cells[1:])
    assert "50%" in half
    assert "100%  2/2" in whole
    assert [len(cell.outputs) for cell in notebook.cells[1:]] == [1, 1]


def test_a_notebook_is_valid_as_it_is_saved(notebook):
    nbformat.validate(notebook)
    assert len(nbformat.writes(notebook)) < 20_000
