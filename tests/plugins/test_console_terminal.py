"""What the person who runs a plugin sees on a real terminal: whole lines, nothing lost, the bars below."""

from __future__ import annotations

import re
import signal
import sys
import time

import pytest

from synapse_otel.cli.run.stderr_tap import last_lines
from tests.plugins.terminal import Terminal, shown

BEGIN = """
import logging, multiprocessing, os, subprocess, sys, threading, time
from synapse_otel.loggers import ConsoleLogger
from synapse_otel.plugins.context import RuntimeContext
ctx = RuntimeContext()
def tick(first, last, category="train", total=100):
    for current in range(first, last + 1):
        ctx.set_progress(current, total, category)
        time.sleep(0.02)
"""
BAR = re.compile(r"^\S+ +[━╸=][━╸─=-]* .*%|^\S+ +[─-]+ .*%")


def said(terminal):
    """Return the lines without times, blank ones and the last progress of each category."""
    lines = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in terminal.screen.lines if line]
    return [line for line in lines if not line.startswith("progress ")]


def assert_calm(terminal, *, lowest=True):
    """Assert that no bar was left behind or stood above a line, that all was understood, and a clean end."""
    assert not terminal.screen.unknown
    assert terminal.screen.cursor_is_shown
    assert terminal.screen.wraps
    assert not [line for line in terminal.screen.lines if BAR.match(line)]
    assert "progress " in terminal.screen.lines[-1]
    drawn = [lines for lines in terminal.seen if any(BAR.match(line) for line in lines)]
    assert drawn, "no bar was ever drawn"
    if lowest:
        for lines in drawn:
            first = next(number for number, line in enumerate(lines) if BAR.match(line))
            below = [line for line in lines[first:] if line and not BAR.match(line)]
            assert not below[1:], lines  # one may have been read in part


def test_what_is_printed_stands_whole_above_the_bars():
    terminal = shown(BEGIN + "for n in range(20):\n  tick(n, n + 1); print('line', n); print('again', n)")
    assert said(terminal) == [f"{word} {number}" for number in range(20) for word in ("line", "again")]
    assert_calm(terminal)


def test_many_lines_at_once_stand_above_many_bars():
    body = "for n in range(20):\n  tick(n, n); tick(n, n, 'b'); tick(n, n, 'c'); print('one\\ntwo\\nthree')"
    terminal = shown(BEGIN + body)
    assert said(terminal) == ["one", "two", "three"] * 20
    assert_calm(terminal)


def test_the_beginning_of_a_line_is_not_broken_by_bars():
    body = "for n in range(20):\n  tick(n, n); print('.', end='', flush=True)\nprint()\nprint('end')"
    terminal = shown(BEGIN + body)
    assert said(terminal) == ["." * 20, "end"]
    assert_calm(terminal)


def test_a_message_stands_above_the_beginning_of_a_line():
    terminal = shown(BEGIN + "tick(1, 2); print('so far', end=''); ctx.log_message('hello'); print(' and on')")
    assert said(terminal) == ["info     hello", "so far and on"]


def test_a_message_does_not_go_on_a_line_that_was_begun_before():
    terminal = shown("print('begun', end='', flush=True)\n" + BEGIN + "ctx.log_message('hello'); print('after')")
    assert said(terminal) == ["begun", "info     hello", "after"]
    assert said(shown(BEGIN + "ctx.log_message('hello')")) == ["info     hello"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_records_of_logging_stand_whole_above_the_bars(unbuffered):
    body = "for n in range(20):\n  tick(n, n + 1); logging.info('number %d', n); logging.info('again %d', n)"
    before = "import logging\nlogging.basicConfig(level='INFO', format='%(message)s')\n"
    terminal = shown(before + BEGIN + body, PYTHONUNBUFFERED=unbuffered)
    assert said(terminal) == [f"{word} {number}" for number in range(20) for word in ("number", "again")]
    assert_calm(terminal)


@pytest.mark.parametrize("before", [True, False], ids=["begun before", "begun after"])
def test_a_bar_of_tqdm_is_one_line_above_ours(before):
    make = "from tqdm import tqdm\nbar = tqdm(total=30, mininterval=0)\n"
    body = f"ctx.logger.open()\n{make}tick(1, 2)\n" if before else f"tick(1, 2)\n{make}"
    body += "for n in range(30):\n  tick(n, n); bar.update()\n  if n == 15: ctx.log_message('half')\nbar.close()"
    terminal = shown(BEGIN + body)
    *first, last = said(terminal)
    assert "30/30" in last
    assert [line for line in first if "0/30" not in line] == ["info     half"]
    assert_calm(terminal)


def test_nested_bars_of_tqdm():
    body = """
from tqdm import tqdm
tick(0, 1)
for epoch in tqdm(range(3), desc="epochs"):
    for batch in tqdm(range(8), desc="batches", leave=False, mininterval=0):
        tick(epoch * 8 + batch, epoch * 8 + batch)
    ctx.log_message(f"epoch {epoch}")
"""
    terminal = shown(BEGIN + body)
    *messages, last = said(terminal)
    assert messages == [f"info     epoch {number}" for number in range(3)]
    assert last.startswith("epochs: 100%")
    assert_calm(terminal)


def test_what_a_subprocess_writes_is_whole():
    body = """
for n in range(4):
    tick(n, n + 5)
    tick(n, n + 1, "other")
    subprocess.run(["sh", "-c", "echo a; echo b; echo c >&2; echo d"])
    os.system("echo e; echo f")
"""
    terminal = shown(BEGIN + body)
    assert said(terminal) == list("abcdef") * 4
    assert_calm(terminal)


def test_another_program_takes_over():
    terminal = shown(BEGIN + "tick(1, 5)\nos.execv('/bin/sh', ['sh', '-c', 'echo x; echo y'])")
    assert said(terminal) == ["x", "y"]


def test_threads_write_whole_lines():
    body = """
def work(n):
    for i in range(50):
        ctx.set_progress(i, 50, f"t{n}"); print("thread", n, "line", i); ctx.log_message(f"{n} {i}")
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for each in threads: each.start()
for each in threads: each.join()
tick(50, 50)
"""
    terminal = shown(BEGIN + body)
    printed = {f"thread {n} line {i}" for n in range(4) for i in range(50)}
    logged = {f"info     {n} {i}" for n in range(4) for i in range(50)}
    assert sorted(said(terminal)) == sorted(printed | logged)


def test_several_jobs_in_one_process_have_their_bars_together():
    body = """
other = RuntimeContext()
for n in range(10):
    tick(n, n, "one"); other.set_progress(n, 20, "two")
other.log_message("first"); other.logger.finish(); tick(10, 15, "one")
"""
    terminal = shown(BEGIN + body)
    together = [lines for lines in terminal.seen if sum(line.startswith(("one ", "two ")) for line in lines) == 2]
    assert together
    assert said(terminal) == ["info     first"]
    assert_calm(terminal)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_write_lines_and_leave_the_bars_to_the_first(method, tmp_path):
    body = f"""
def work(n):
    for i in range(10):
        ctx.set_progress(i + 1, 10, f"worker{{n}}"); print(f"worker {{n}} line {{i}}"); time.sleep(0.02)
    ctx.log_message(f"worker {{n}} is done"); ctx.logger.finish()
if __name__ == "__main__":
    tick(1, 5)
    processes = [multiprocessing.get_context({method!r}).Process(target=work, args=(n,)) for n in range(2)]
    for each in processes: each.start()
    tick(6, 60)
    for each in processes: each.join()
"""
    program = BEGIN + body
    if method == "spawn":
        path = tmp_path / "program.py"
        path.write_text(program)
        program = f"import runpy, sys; sys.argv = [{str(path)!r}]; runpy.run_path(sys.argv[0], run_name='__main__')"
    terminal = shown(program)
    expected = [f"worker {n} line {i}" for n in range(2) for i in range(10)]
    assert sorted(line for line in said(terminal) if " line " in line) == sorted(expected)
    assert len([line for line in terminal.screen.lines if "is done" in line]) == 2
    assert not re.search(r"worker\d[^\n]*━", terminal.text)
    assert_calm(terminal, lowest=False)


def test_the_child_of_a_fork_ends_without_a_trace_of_the_bars():
    body = "tick(1, 5)\npid = os.fork()\nif not pid:\n  print('child'); os.sys.stdout.flush(); os._exit(0)\n"
    terminal = shown(BEGIN + body + "os.waitpid(pid, 0); tick(6, 9)")
    assert said(terminal) == ["child"]
    assert_calm(terminal)


def test_a_fork_while_another_thread_writes_does_not_hang():
    body = """
threading.Thread(target=lambda: [ctx.log_message(str(n)) for n in range(2000)], daemon=True).start()
for n in range(30):
    pid = os.fork()
    if not pid:
        ctx.log_message("child"); print("printed", flush=True); ctx.set_progress(1, 2); os._exit(0)
    os.waitpid(pid, 0)
"""
    # Of two processes that write to a terminal that is full for the moment, each may come into the other's line.
    assert "".join(said(shown(BEGIN + body))).count("info     child") == 30


@pytest.mark.parametrize("width", [1, 10, 20, 40, 60, 80, 200])
def test_bars_fit_the_window(width):
    body = "tick(1, 8, 'a long name of a category 日本語'); tick(1, 8, 'b')"
    terminal = shown(BEGIN + body, columns=width)
    assert not terminal.screen.unknown
    drawn = [lines for lines in terminal.seen if len([line for line in lines if line]) == 2]
    assert drawn or width < 10
    assert terminal.text.count("\x1b[?7l") == terminal.text.count("\x1b[?7h") > 0  # whatever a letter's width is
    if width == 40:
        row = re.compile(r"^a long na… [━╸]+─+ +8%  eta [\d:.]+s?")
        assert any(row.search(line) for lines in terminal.seen for line in lines)


def test_the_window_is_made_narrower_while_it_runs():
    terminal = Terminal(BEGIN + "tick(1, 8); print('now'); tick(9, 40); print('end')")
    terminal.read("now")
    terminal.resize(30, 10)
    already = len(terminal.seen)
    terminal.read()
    assert terminal.close() == 0
    bars = [line for lines in terminal.seen[already:] for line in lines if BAR.match(line)][-5:]
    assert bars
    assert all(len(line) <= 30 for line in bars)
    assert "end" in terminal.screen.lines


def test_many_bars_leave_half_of_the_window_free():
    body = "for n in range(30): ctx.set_progress(1, 3, f'category{n}')\ntime.sleep(0.2); tick(1, 2, 'category29')"
    terminal = shown(BEGIN + body, rows=12)
    highest = max(terminal.seen, key=lambda lines: sum(bool(BAR.match(line)) for line in lines))
    assert [line.split()[0] for line in highest[-6:-1]] == [f"category{n}" for n in range(25, 30)]
    assert highest[-1] == "… and 25 more"


def test_ctrl_c_leaves_a_traceback_and_a_clean_terminal():
    terminal = Terminal(BEGIN + "tick(1, 8); print('now'); tick(9, 10_000, total=20_000)")
    terminal.read("now")
    terminal.read("─")
    terminal.type("\x03")
    terminal.read()
    assert terminal.close() == -signal.SIGINT
    lines = said(terminal)
    assert lines[0] == "now"
    assert lines[1].endswith("Traceback (most recent call last):")
    assert lines[-1] == "KeyboardInterrupt"
    assert_calm(terminal)


def test_the_traceback_of_a_job_comes_after_its_bars(tmp_path):
    body = """
import synapse_otel, time
with synapse_otel.job("train", plugin="yolo") as ctx:
    for n in range(10): ctx.set_progress(n, 20, "train"); time.sleep(0.02)
    raise KeyError("lost")
"""
    settings = {"SYNAPSE_OTEL_JOURNAL_DIR": str(tmp_path), "SYNAPSE_OTEL_SHIPPER": "off"}
    terminal = Terminal(body, columns=300, **settings)
    terminal.read()
    assert terminal.close() == 1
    last, summary, traceback, *_, error = [line for line in terminal.screen.lines if line]
    assert "progress train  45%  9/20" in last
    assert summary.startswith("synapse-otel: train-yolo-1: failure in ")
    assert (traceback, error) == ("Traceback (most recent call last):", "KeyError: 'lost'")


def test_a_killed_job_leaves_a_cursor_and_its_lines():
    terminal = Terminal(BEGIN + "print('one'); tick(1, 8); print('two'); tick(9, 10_000, total=20_000)")
    terminal.read("two")
    terminal.read("─")
    terminal.process.kill()
    terminal.read()
    terminal.close()
    assert terminal.screen.cursor_is_shown
    assert terminal.screen.wraps
    assert terminal.screen.lines[:2] == ["one", "two"]


def test_a_question_stands_above_the_bars():
    terminal = Terminal(BEGIN + "tick(1, 8); name = input('name? '); print('hello', name); tick(9, 12)")
    terminal.read("name? ")
    terminal.type("bob\r")
    terminal.read()
    assert terminal.close() == 0
    assert said(terminal) == ["name? bob", "hello bob"]
    assert_calm(terminal)


def test_the_enter_key_leaves_no_part_of_a_bar():
    terminal = Terminal(BEGIN + "tick(1, 8); print('now'); tick(9, 40); print('end')")
    terminal.read("now")
    terminal.read("─")
    terminal.type("\r")
    terminal.read()
    assert terminal.close() == 0
    assert said(terminal) == ["now", "end"]
    assert_calm(terminal)


def test_a_terminal_that_takes_nothing_does_not_stop_the_job(tmp_path):
    mark = tmp_path / "done"
    body = "for n in range(3000): print('x' * 0, end=''); ctx.set_progress(n, 3000, 'train'); time.sleep(0.001)\n"
    terminal = Terminal(BEGIN + "tick(1, 8); print('now', flush=True)\n" + body + f"open({str(mark)!r}, 'w').close()")
    terminal.read("now")
    terminal.type("\x13")  # Ctrl-S
    deadline = time.monotonic() + 60
    while not mark.exists():
        assert time.monotonic() < deadline, "the job waits for its terminal"
        time.sleep(0.05)
    terminal.type("\x11")
    terminal.read()
    assert terminal.close() == 0
    assert_calm(terminal)


def test_a_terminal_that_is_closed_does_not_fail_the_job(tmp_path):
    mark = tmp_path / "done"
    body = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); tick(1, 8); print('now', flush=True)\n"
    body += f"for n in range(50): ctx.log_message(str(n)); tick(n, n)\nopen({str(mark)!r}, 'w').close()"
    terminal = Terminal(BEGIN + body)
    terminal.read("now")
    terminal.close()
    assert mark.exists()


HOSTILE = r"""
ctx.log_message("\x1b[31mred\x1b[2J\x07\rx\x00\u202e 日本語 👨\u200d👩\u200d👧 e\u0301")
ctx.log_message("two\nlines\n12:00:00 error    not one of ours")
ctx.log("na\x1b[31mme", {"k\x1b": "v\x1b[2J"}, "/f\x1b")
ctx.set_progress(1, 2, "업로드\x1b[2J\n업로드")
time.sleep(0.2)
ctx.set_progress(1.5, 2, "업로드\x1b[2J\n업로드")
ctx.log_message("\udcff")
"""


def test_nothing_in_a_text_is_obeyed():
    terminal = shown(BEGIN + HOSTILE, columns=100)
    assert said(terminal)[:5] == [
        r"info     \x1b[31mred\x1b[2J\x07\rx\x00\u202e 日本語 👨👩👧 e",
        "info     two",
        "                  lines",
        "                  12:00:00 error    not one of ours",
        r"info     na\x1b[31mme k\x1b=v\x1b[2J file=/f\x1b",
    ]
    assert r"업로드\x1b[2J\n업로드" in terminal.screen.lines[-1]
    assert_calm(terminal)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1", "cp437"])
def test_an_encoding_that_lacks_letters_never_raises(encoding):
    body = "tick(1, 20, '업로드'); ctx.log_message('done ✓ 日本'); print('on')"
    terminal = shown(BEGIN + body, PYTHONIOENCODING=encoding)
    assert said(terminal) == ["info     done ? ??", "on"]
    assert any(re.match(r"\?\?\? +=+-+ +\d+%", line) for lines in terminal.seen for line in lines)


def test_colours_tell_how_a_message_is_meant():
    body = "for word in ('info', 'success', 'warning', 'danger'): ctx.log_message(word, word)"
    text = shown(BEGIN + body).text
    for code, word in ((34, "info"), (32, "success"), (33, "warning"), (31, "danger")):
        assert f"\x1b[{code}m{word}" in text


@pytest.mark.parametrize(
    ("environ", "bars", "colours"),
    [
        ({}, True, True),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"CI": "true"}, False, False),
        ({"CI": "true", "FORCE_COLOR": "1"}, False, True),
        ({"TERM": "dumb"}, False, False),
    ],
)
def test_the_environment_says_what_a_terminal_can_show(environ, bars, colours):
    terminal = shown(
        BEGIN + "tick(1, 8); ctx.log_message('hello', 'success'); ctx.set_progress(100, 100, 'train')", **environ
    )
    assert ("━" in terminal.text) is bars
    assert bool(re.search(r"\x1b\[3\dm", terminal.text)) is colours
    assert bars or colours or "\x1b" not in terminal.text
    assert "progress train  100%  100/100" in terminal.screen.lines[-1]


def test_standard_output_that_goes_elsewhere_for_a_while_gets_the_lines():
    body = """
import contextlib, io
tick(1, 8)
with contextlib.redirect_stdout(io.StringIO()) as caught:
    ctx.log_message("aside", "success"); tick(9, 15); print("printed")
print(caught.getvalue()[9:].splitlines())
"""
    terminal = shown(BEGIN + body)
    assert said(terminal) == ["['success  aside', 'printed']"]
    assert_calm(terminal)


def test_the_streams_are_left_as_they_were():
    body = "tick(1, 3); ctx.logger.finish(); print(sorted(vars(sys.stdout)), sorted(vars(sys.stderr)))"
    body += "\nprint('half', end=''); sys.stdout.flush(); print(threading.active_count())"
    before = "import sys; names = sorted(vars(sys.stdout)), sorted(vars(sys.stderr)); print(*names)\n"
    first, second, third = said(shown(before + BEGIN + body))
    assert first == second
    assert third == "half1"


def test_an_error_of_printing_is_the_plugins():
    body = """
tick(1, 3)
try: print("업로드", end="")
except UnicodeEncodeError: print("raised")
try: sys.stdout.write(7)
except TypeError: print("raised too")
"""
    assert said(shown(BEGIN + body, PYTHONIOENCODING="ascii")) == ["raised", "raised too"]


def test_phases_that_are_over_become_lines_at_a_pace_that_can_be_read():
    body = "for epoch in range(20):\n  for n in range(4): ctx.set_progress(n, 3, 'batches')"
    terminal = shown(BEGIN + body)
    assert 1 <= sum("100%  3/3" in line for line in terminal.screen.lines) <= 3


def test_under_synapse_otel_run_standard_error_stands_above_the_bars_too(tmp_path):
    before = "import logging\nlogging.basicConfig(level='INFO', format='%(message)s')\n"
    body = "for n in range(20):\n  tick(n, n + 1); logging.info('number %d', n); logging.info('again %d', n)"
    path = tmp_path / "program.py"
    path.write_text(before + BEGIN + body)
    arguments = ["synapse-otel", "run", "--no-ship", "--", sys.executable, str(path)]
    program = f"import sys; sys.argv = {arguments!r}\nfrom synapse_otel.cli import main; main()"
    terminal = shown(program, SYNAPSE_OTEL_JOURNAL_DIR=str(tmp_path / "journals"), SYNAPSE_OTEL_SHIPPER="off")
    lines = [line for line in said(terminal) if line.startswith(("number", "again"))]
    assert lines == [f"{word} {number}" for number in range(20) for word in ("number", "again")]
    assert not [line for line in terminal.screen.lines if BAR.match(line)]


def test_bars_are_not_kept_as_the_last_lines_of_standard_error():
    kept = shown(BEGIN + "tick(1, 5); print('one'); tick(6, 9); print('two', file=sys.stderr); tick(10, 12)").text
    assert [line for line in last_lines(kept.encode(), 10) if "progress" not in line] == ["one", "two"]
