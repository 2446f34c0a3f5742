"""``synapse-otel view --terminal``: the same in a terminal, by its keys, and once in a real pseudo-terminal."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import sys
import termios
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from textual.pilot import Pilot

from synapse_otel.journal.folder import run_folders, segment_path
from synapse_otel.runs import Recording
from synapse_otel.runs.live.index import RunIndex
from synapse_otel.runs.live.store import RunStore
from synapse_otel.ui.glyphs import ASCII, UNICODE
from synapse_otel.ui.terminal.app import TerminalView
from synapse_otel.ui.terminal.overview import stack
from synapse_otel.ui.terminal.plot import AXIS, Plot
from tests.eventually import eventually
from tests.runs.runs import TOKEN as CREDENTIAL
from tests.runs.runs import command, environment, run
from tests.ui.conftest import _SERVE, record, tell
from tests.usage.used import write as write_usage

pytestmark = pytest.mark.once

Scenario = Callable[["Terminal"], Awaitable[None]]


class Terminal:
    """A terminal in which the runs are shown."""

    def __init__(self, pilot: Pilot[None]) -> None:
        self._pilot = pilot

    @property
    def lines(self) -> list[str]:
        """What stands in it."""
        screen = self._pilot.app.screen
        return ["".join(part.text for part in line) for line in screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    async def press(self, *keys: str) -> None:
        await self._pilot.press(*keys)

    async def type(self, text: str) -> None:
        await self._pilot.press(*("space" if character == " " else character for character in text))

    async def shows(self, *texts: str) -> None:
        """Wait until all texts stand in it."""
        deadline = time.monotonic() + 30
        while missing := [text for text in texts if text not in self.text]:
            assert time.monotonic() < deadline, f"{missing} missing in\n{self.text}"
            await self._pilot.pause(0.05)

    async def hides(self, text: str) -> None:
        """Wait until a text stands in it no more."""
        deadline = time.monotonic() + 30
        while text in self.text:
            assert time.monotonic() < deadline, f"{text!r} still in\n{self.text}"
            await self._pilot.pause(0.05)


def watch(
    root: Path, scenario: Scenario, *, size: tuple[int, int] = (110, 40), run: str = "", unicode: bool = True
) -> None:
    """Show runs while a scenario goes on."""

    async def main() -> None:
        store = RunStore(RunIndex([root], stall_seconds=300))
        app = TerminalView(store, run, unicode=unicode)
        async with app.run_test(size=size) as pilot:
            await scenario(Terminal(pilot))

    asyncio.run(main())


def run_of(root: Path, plugin: str, result: str = "") -> str:
    """Return the id of a run."""
    for folder in run_folders(root):
        job = Recording.read(folder).job
        if job is not None and plugin in job.name and job.attributes.get("synapse.job.result", "") == result:
            return folder.name
    raise AssertionError(plugin)


# --- the list -------------------------------------------------------------------------------------------


def test_the_list_tells_state_version_progress_and_what_went_wrong(shelf_root):
    async def scenario(terminal: Terminal) -> None:
        await terminal.shows("4 runs", "✓ done", "✗ failed", "✗ crashed", "train-yolo-job-4711 1.2.0", "100%", "30%")
        await terminal.press("slash")
        await terminal.type("keyerror")
        await terminal.shows("1 of 4 runs")
        assert "train yolo 1.2.0  job job-4712" in terminal.lines[-5]
        assert "KeyError" in terminal.lines[-4]

    watch(shelf_root, scenario)


def test_the_list_is_narrowed_down_and_sorted_by_keys(shelf_root):
    async def scenario(terminal: Terminal) -> None:
        await terminal.shows("4 runs", "by start")
        await terminal.press("f")
        await terminal.shows("1 of 4 runs", "crashed")
        await terminal.hides("yolo")
        await terminal.press("f", "f", "f")
        await terminal.press("s", "s", "s")
        await terminal.shows("4 runs", "by name")
        names = [line[13:23] for line in terminal.lines if line.startswith(("✓", "✗"))]
        assert names == ["export-coc", "train-yolo", "train-yolo", "train<scri"]
        await terminal.press("slash")
        await terminal.type("no such thing")
        await terminal.shows("No run matches.")
        await terminal.hides("The nearest is")
        await terminal.press("escape", "escape", "slash")
        await terminal.type("tarin-yolo-job-4712")
        await terminal.shows("No run matches. The nearest is train-yolo-job-4712.")
        await terminal.press("escape")
        await terminal.press("escape")
        await terminal.shows("4 runs")

    watch(shelf_root, scenario)


def test_a_resumed_job_is_one_line_and_its_attempts_can_be_seen(tmp_path):
    for kind in ("failure", "success"):
        run(tmp_path, kind, SYNAPSE_OTEL_RUN_TAGS="baseline")

    async def scenario(terminal: Terminal) -> None:
        await terminal.shows("1 run ", "✓ done", "attempt 2 of 2", "#baseline")
        await terminal.hides("✗ failed")
        await terminal.press("slash")
        await terminal.type("baseline keyerror")
        await terminal.shows("✗ failed", "attempt 1 of 2")
        await terminal.press("escape", "escape", "a")
        await terminal.shows("2 runs", "✓ done", "✗ failed")
        await terminal.press("down", "enter")
        await terminal.shows("KeyError", "attempt 1 of 2")
        await terminal.press("4")
        await terminal.shows("baseline", "attempt 2", "train-yolo-job-4711")

    watch(tmp_path, scenario)


def test_an_empty_folder_says_where_to_look(tmp_path):
    async def scenario(terminal: Terminal) -> None:
        await terminal.shows("0 runs", "No run has been recorded here yet")

    watch(tmp_path, scenario)


def test_what_cannot_be_read_stands_beside_the_others(root):
    broken = root / "20990101T000000Z-broken-00000000"
    broken.mkdir()
    (broken / "run.json").write_text("{ no json")
    segment_path(broken, 1).write_bytes(b"nothing that we wrote" * 1000)

    async def scenario(terminal: Terminal) -> None:
        await terminal.shows("5 runs", "! unreadable", "✓ done", "be read as a run")
        await terminal.press("enter")
        await terminal.shows("No step has begun yet")
        await terminal.press("escape")
        await terminal.shows("5 runs")

    watch(root, scenario)


# --- a run ----------------------------------------------------------------------------------------------


def test_a_failure_is_explained_first_and_its_rollbacks_name_it(shelf_root):
    async def scenario(terminal: Terminal) -> None:
        await terminal.shows("What went wrong", "KeyError: 'no room'", 'raise KeyError("no room")', "in export")
        await terminal.shows("whole job", "skipped", "↶ rollback load", "because of export")
        assert "orchestrator.py" not in terminal.text
        await terminal.press("x")
        await terminal.shows("synapse_otel/plugins")

    watch(shelf_root, scenario, run=run_of(shelf_root, "yolo", "failure"), size=(110, 60))


def test_a_killed_run_says_where_it_was_and_what_it_said_last(shelf_root):
    async def scenario(terminal: Terminal) -> None:
        await terminal.shows("The process was killed", "in write", "Last messages", "three written", "30%")

    watch(shelf_root, scenario, run=run_of(shelf_root, "coco"))


def test_messages_are_filtered_searched_and_opened(shelf_root):
    async def scenario(terminal: Terminal) -> None:
        await terminal.shows("3 messages")
        await terminal.press("3")
        await terminal.shows("slow disk", "weights", "7 images")
        await terminal.press("l", "l", "l")
        await terminal.shows("level: warning and above")
        await terminal.hides("weights")
        await terminal.shows("slow disk")
        await terminal.press("l", "l", "a", "a")
        await terminal.shows("for: developer", "weights")
        await terminal.hides("slow disk")
        await terminal.press("a", "slash")
        await terminal.type("epoch=5")
        await terminal.shows("1 of ")
        await terminal.press("enter")
        await terminal.press("enter")
        await terminal.shows("Data", "[redacted]", "Attributes")
        assert CREDENTIAL not in terminal.text
        await terminal.press("escape")
        await terminal.shows("3 messages")

    watch(shelf_root, scenario, run=run_of(shelf_root, "yolo", "success"))


def test_text_metrics_are_folded_until_they_are_asked_for(tmp_path):
    record(tmp_path / "runs", "phases", "30")

    async def scenario(terminal: Terminal) -> None:
        await terminal.shows("3 messages 3 ")
        await terminal.press("3")
        await terminal.shows("message 0", "text metrics: 30 folded")
        await terminal.hides("phase 7")
        await terminal.press("t")
        await terminal.shows("text metrics: shown", "33 of 33")
        await terminal.press("t", "slash")
        await terminal.type("phase 7")
        await terminal.shows("phase=phase 7")

    watch(tmp_path / "runs", scenario, run=run_of(tmp_path / "runs", "phases", "success"))


def test_the_printed_report_has_the_latest_of_a_text_metric(tmp_path):
    record(tmp_path / "runs", "phases", "30")
    printed = command(tmp_path / "runs", "show").stdout
    assert "message 0" in printed
    assert "and 28 more here" in printed
    assert "phase=phase 29" in printed
    assert "phase 28" not in printed


def test_metrics_have_latest_least_and_greatest_value_and_a_curve_that_is_zoomed(shelf_root):
    async def scenario(terminal: Terminal) -> None:
        await terminal.shows("2 metrics 2")
        await terminal.press("2")
        await terminal.shows("latest", "loss", "0.2", "accuracy", "0.8", "█")
        await terminal.press("slash")
        await terminal.type("loss")
        await terminal.hides("accuracy")
        await terminal.press("enter")
        await terminal.press("enter")
        await terminal.shows("latest 0.2  min 0.2  max 1  5 values", "⠑")
        whole = terminal.text
        await terminal.press("plus")
        await terminal.hides(whole)
        await terminal.press("0")
        await terminal.shows(whole)
        await terminal.press("l")
        await terminal.shows("linear")
        await terminal.press("escape")
        await terminal.shows("2 metrics 2")

    watch(shelf_root, scenario, run=run_of(shelf_root, "yolo", "success"))


def test_environment_parameters_products_and_account_stand_under_about(shelf_root):
    async def scenario(terminal: Terminal) -> None:
        await terminal.shows("4 about")
        await terminal.press("4")
        await terminal.shows("emitted", "logs", "epochs", "model_path", "service.name", "job-4711")

    watch(shelf_root, scenario, run=run_of(shelf_root, "yolo", "success"), size=(110, 50))


def test_what_a_run_used_stands_under_about(root):
    (folder,) = (one for one in run_folders(root) if one.name == run_of(root, "yolo", "success"))
    write_usage(folder, Recording.read(folder).job.start, oom=True)

    async def scenario(terminal: Terminal) -> None:
        await terminal.shows("4 about")
        await terminal.press("4")
        await terminal.shows("peak 1.9 of 2", "peak 1.5 GiB of 2.0 GiB", "out of memory")

    watch(root, scenario, run=folder.name, size=(110, 50))


def test_what_happens_is_seen_while_it_happens(steered):
    async def scenario(terminal: Terminal) -> None:
        await terminal.shows("1 run", "▸ live", "steered 0.7.0")
        tell(steered, "progress 1")
        await asyncio.sleep(0.05)
        tell(steered, "progress 40")
        await terminal.shows("40%")
        await terminal.press("enter")
        await terminal.shows("▸ train", "40/100", "left")
        tell(steered, "metric 0.5")
        tell(steered, "metric 0.25")
        await terminal.press("2")
        await terminal.shows("loss", "0.25")
        tell(steered, "metric 0.125")
        await terminal.shows("0.125", "█▃▁")
        await terminal.press("3")
        for number in range(60):
            tell(steered, f"say number {number}")
        await terminal.shows("number 59")
        await terminal.press("end")
        tell(steered, "say and one more")
        await terminal.shows("and one more")
        tell(steered, "die")
        await terminal.shows("✗ crashed")
        await terminal.press("1")
        await terminal.shows("The process was killed", "and one more", "its process was killed")
        await terminal.press("escape")
        await terminal.shows("✗ crashed", "40%", "steered 0.7.0")

    watch(steered.root, scenario)


def test_a_run_that_is_deleted_while_it_is_seen_is_said(root, monkeypatch):
    monkeypatch.setattr("synapse_otel.runs.live.index.LOOK_SECONDS", 0.0)
    name = run_of(root, "coco")

    async def scenario(terminal: Terminal) -> None:
        await terminal.shows("The process was killed")
        shutil.rmtree(root / name)
        await terminal.shows("this run is no longer there")

    watch(root, scenario, run=name)


def test_of_very_many_records_those_that_are_seen_are_made(tmp_path):
    record(tmp_path, "many", "10000")

    async def scenario(terminal: Terminal) -> None:
        await terminal.shows("3 messages 10,002")
        await terminal.press("3")
        await terminal.shows("record number 0")
        await terminal.press("end")
        await terminal.shows("record number 9999")
        await terminal.press("slash")
        await terminal.type("number 5123")
        await terminal.shows("1 of 10,002", "record number 5123")
        await terminal.press("escape", "escape", "2")
        await terminal.shows("peak", "1,000")

    watch(tmp_path, scenario, run=run_of(tmp_path, "talkative", "success"))


@pytest.mark.parametrize("size", [(110, 40), (60, 20), (30, 10)])
def test_no_text_is_obeyed_by_the_terminal_and_every_size_is_drawn(shelf_root, size):
    def check(terminal: Terminal) -> None:
        assert all(len(line) == size[0] for line in terminal.lines)
        found = [character for character in terminal.text if not character.isprintable() and character != "\n"]
        assert found == []
        assert "hunter2" not in terminal.text

    async def scenario(terminal: Terminal) -> None:
        for key in "1243":
            await terminal.press(key)
            await terminal._pilot.pause(0.8)
            check(terminal)
            assert "1 steps" in terminal.lines[2]
        await terminal.press("slash")
        await terminal.type("javascript")
        await terminal.press("enter")
        await terminal.hides("warning ")
        await terminal._pilot.pause(0.8)
        check(terminal)
        await terminal.press("enter")
        await terminal.shows("synapse.message")
        check(terminal)
        await terminal.press("escape", "escape")
        await terminal._pilot.resize_terminal(47, 13)
        await terminal.press("1")
        await terminal._pilot.pause(0.8)
        assert [len(line) for line in terminal.lines] == [47] * 13
        await terminal.press("question_mark")
        await terminal.shows("pgup pgdn")

    watch(shelf_root, scenario, run=run_of(shelf_root, "evil", "success"), size=size)


def test_a_narrow_window_has_what_one_wants_to_know(shelf_root):
    async def scenario(terminal: Terminal) -> None:
        await terminal.shows("4 runs", "✗ crashed", "30%", "export-co…-job-open", "enter", "quit")
        await terminal.press("slash")
        await terminal.type("coco")
        await terminal.press("enter", "enter")
        await terminal.shows("The process was killed", "1 steps", "4 about", "esc", "quit")

    watch(shelf_root, scenario, size=(60, 24))


def test_a_terminal_without_unicode_gets_ascii(shelf_root):
    async def scenario(terminal: Terminal) -> None:
        await terminal.shows("4 runs", "x crashed", "+ done")
        for key in ("enter", "2", "1"):
            await terminal.press(key)
            await terminal._pilot.pause(0.8)
            drawn = "".join(line[:-1] for line in terminal.lines)  # the bar that tells where one is, is Textual's
            assert drawn.isascii(), drawn

    watch(shelf_root, scenario, unicode=False)


# --- its parts ------------------------------------------------------------------------------------------


def test_a_stack_is_that_of_the_plugin_unless_there_is_nothing_else():
    text = (
        "Traceback (most recent call last):\n"
        '  File "/venv/lib/python3.12/site-packages/lib.py", line 1, in call\n    f()\n'
        '  File "/job/train.py", line 7, in f\n    boom()\nValueError: boom'
    )
    own, hidden = stack(text, whole=False)
    assert ("train.py" in "".join(own), "lib.py" in "".join(own), hidden) == (True, False, 1)
    assert stack(text, whole=True)[1] == 0
    library_alone = text.replace("/job/train.py", "/venv/lib/python3.12/site-packages/other.py")
    assert stack(library_alone, whole=False)[1] == 0


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize(
    ("times", "values", "seen"),
    [
        ([], [], None),
        ([1.0], [2.0], None),
        ([1.0, 1.0], [2.0, 2.0], None),
        ([1.0, 2.0, 3.0], [0.0, 1e300, -1e300], None),
        ([0.0, 1e12], [0.0, 1.0], (5e11, 5e11 + 1)),
        ([float(at) for at in range(1000)], [(at % 7) - 3.0 for at in range(1000)], (10.0, 20.0)),
    ],
)
def test_a_curve_is_drawn_in_its_room(times, values, seen, glyphs):
    for logarithmic in (False, True):
        lines = Plot(times, values, seen, logarithmic=logarithmic).lines(50, 8, glyphs)
        assert [line.cell_len for line in lines] == [50] * 8


def test_a_curve_goes_through_its_points():
    lines = [line.plain[AXIS:] for line in Plot([0, 1, 2], [0, 10, 0]).lines(AXIS + 20, 5, ASCII)]
    assert (lines[-1][0], lines[-1][-1], lines[0][10]) == ("*", "*", "*")
    assert "*" not in lines[0][:8]


# --- as a command ---------------------------------------------------------------------------------------


def test_without_a_terminal_it_is_said_what_to_use_instead(shelf_root):
    ended = command(shelf_root, "view", "--terminal")
    assert ended.returncode == 2
    assert "--terminal needs a terminal, and std" in ended.stderr
    assert "synapse-otel jobs" in ended.stderr
    assert "Traceback" not in ended.stderr


class RealTerminal:
    """The command in a pseudo-terminal."""

    def __init__(self, root: Path, *arguments: str, **variables: str) -> None:
        self.output = b""
        process, self._end = pty.fork()
        if not process:
            found = environment(root, **{"TERM": "xterm-256color", **variables})
            os.execve(sys.executable, [sys.executable, "-c", _SERVE, "view", "--terminal", *arguments], found)
        self._process = process
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def read(self) -> str:
        """Return what it has written by now."""
        with suppress(OSError):  # it has ended
            self.output += os.read(self._end, 1 << 16)
        return self.output.decode(errors="replace")

    def press(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def end(self, number: int) -> None:
        os.kill(self._process, number)

    def ended(self) -> int:
        """Wait for its end, and return its exit code."""

        def waited() -> list[int]:
            self.read()
            process, status = os.waitpid(self._process, os.WNOHANG)
            return [os.waitstatus_to_exitcode(status)] if process else []

        os.set_blocking(self._end, False)
        code = eventually(waited, within=30)[0]
        os.close(self._end)
        return code


def test_in_a_real_terminal_it_takes_keys_and_leaves_everything_as_it_was(shelf_root):
    terminal = RealTerminal(shelf_root, "coco", NO_COLOR="1")
    eventually(lambda: "three written" in terminal.read(), within=30)
    terminal.press("3")
    eventually(lambda: "export coco started" in terminal.read(), within=30)
    terminal.press("q")
    assert terminal.ended() == 0
    text = terminal.output.decode(errors="replace")
    assert text.rindex("\x1b[?1049l") > text.rindex("\x1b[?1049h")
    assert not re.search(r"\x1b\[(?:\d+;)*(?:3[0-7]|4[0-7]|38;|48;|9[0-7])", text), "a colour, in spite of NO_COLOR"


def test_who_ends_it_from_outside_gets_the_terminal_back_as_it_was(shelf_root):
    terminal = RealTerminal(shelf_root, "coco")
    eventually(lambda: "three written" in terminal.read(), within=30)
    terminal.end(signal.SIGTERM)
    assert terminal.ended() == 128 + signal.SIGTERM
    assert terminal.output.rindex(b"\x1b[?1049l") > terminal.output.rindex(b"\x1b[?1049h")


def test_a_terminal_that_cannot_be_drawn_in_is_said(shelf_root):
    terminal = RealTerminal(shelf_root, TERM="dumb")
    assert terminal.ended() == 2
    assert "TERM rules that out" in terminal.output.decode()
