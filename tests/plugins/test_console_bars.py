"""Bars as rows, what stands around them, and how seldom they are drawn."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from synapse_otel.loggers import ConsoleLogger
from synapse_otel.plugins.loggers import track
from synapse_otel.plugins.loggers.console import live, pace
from synapse_otel.plugins.loggers.console.escaping import escaped, lines_of
from synapse_otel.plugins.loggers.console.terminal import live_region as area
from synapse_otel.plugins.loggers.console.terminal.bars import ASCII, UNICODE, bar_rows
from synapse_otel.plugins.loggers.console.terminal.cursor_tracker import CursorTracker
from synapse_otel.plugins.loggers.track import Track
from tests.plugins.recording import context_of
from tests.plugins.screen import VirtualScreen
from tests.plugins.test_console import Clock


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for module in (area, live, pace, track):
        monkeypatch.setattr(module, "monotonic", clock)
    return clock


@pytest.fixture
def terminal(recorded, clock):
    """A context that shows on a terminal, and the text that the terminal got."""
    file = io.StringIO()
    logger = ConsoleLogger(Console(file=file, force_terminal=True, width=100, height=20))
    yield context_of(recorded.job, logger), file
    logger.finish()


def screen_of(file):
    screen = VirtualScreen(100, 20)
    screen.feed(file.getvalue().replace("\n", "\r\n"))
    return screen.lines


def text(row):
    return "".join(piece for piece, _style in row)


def test_a_bar_with_rate_and_remaining_time_for_each_category(terminal, clock):
    ctx, file = terminal
    ctx.set_progress(0, 100, "download")
    clock.now += 5
    ctx.set_progress(50, 100, "download")
    ctx.set_progress(10, 40, "train")
    clock.now += 1
    ctx.set_progress(11, 40, "train")
    _cursor, first, second = screen_of(file)
    assert first.split() == ["download", "━" * 20 + "─" * 20, "50%", "50/100", "8.3/s", "eta", "6.0s"]
    assert second.split()[2:] == ["27%", "11/40", "1/s", "eta", "0:29"]
    assert first.index("━") == second.index("━")
    assert first.index("eta") == second.index("eta")


def test_it_draws_ten_times_a_second_at_most(terminal, clock):
    ctx, file = terminal
    ctx.set_progress(0, 10_000, "train")
    drawn = file.tell()
    for current in range(1000):
        ctx.set_progress(current, 10_000, "train")
    assert file.tell() == drawn
    clock.now += area.REFRESH_SECONDS
    ctx.set_progress(1001, 10_000, "train")
    assert file.tell() > drawn


def test_a_phase_that_is_over_becomes_a_line(terminal, clock):
    ctx, file = terminal
    for current in range(11):
        ctx.set_progress(current, 10, "load")
        clock.now += 0.2
    (line,) = screen_of(file)
    assert line.endswith("progress load  100%  10/10  5/s  took 2.0s")
    ctx.logger.finish()
    assert screen_of(file) == [line]


def test_a_phase_that_failed_becomes_a_line(terminal, clock):
    ctx, file = terminal
    ctx.set_progress(3, 10, "train")
    clock.now += 2
    ctx.logger.set_progress_failed("train")
    (line,) = screen_of(file)
    assert line.endswith("progress train  30%  3/10  took 2.0s  failed")


@pytest.mark.parametrize("width", [1, 2, 5, 11, 20, 40, 43, 60, 80, 200])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_rows_fit_the_window(width, glyphs):
    tracks = [
        (None, Track(1, 3)),
        ("a very long name of a category, longer than most windows", Track(5_000_000, 9e9)),
        ("업로드 파일 업로드 파일", Track(9e9, 9e9)),
        ("\x1b[31m\n👨\u200d👩\u200d👧", Track(0, 1e-9)),
    ]
    for row in bar_rows(tracks, width, 20, glyphs):
        assert cell_len(text(row)) <= max(width, 6)
        assert "\x1b" not in text(row)


def test_the_same_columns_stay_while_the_numbers_grow():
    def widths(track):
        return len(text(bar_rows([("train", track)], 80, 20, UNICODE)[0]).partition("%")[0])

    slow, fast = Track(0, 1000), Track(0, 1000)
    slow.current, fast.current = 1, 999
    assert widths(slow) == widths(fast)


def test_no_more_rows_than_half_of_the_window():
    tracks = [(str(number), Track(1, 3)) for number in range(100)]
    rows = [text(row) for row in bar_rows(tracks, 80, 10, UNICODE)]
    assert [row.split()[0] for row in rows] == ["96", "97", "98", "99", "…"]
    assert rows[-1] == "… and 96 more"
    assert len(bar_rows(tracks, 80, 1, UNICODE)) == 1


# --- what others have written


@pytest.mark.parametrize(
    ("written", "begun", "below"),
    [
        (["one\n"], [], 0),
        (["one\ntwo"], ["two"], 0),
        (["10%", "\r20%", "\r30%"], ["\r30%"], 0),
        (["50%\r"], ["50%\r"], 0),
        (["\r0%", "\n", "\rinner", "\x1b[A"], ["\r0%", "\rinner"], 1),
        (["\r0%", "\n", "\rinner", "\x1b[A", "\n\r      \r\x1b[A", "\r1%"], ["\r1%", "\r      \r"], 1),
        (["a\nb\nc", "\x1b[2A"], ["a", "b", "c"], 2),
        (["a\nb\nc", "\x1b[2A", "\x1b[J"], ["a"], 0),
        (["\x1b[31mred\x1b[0m"], ["\x1b[31mred\x1b[0m"], 0),
    ],
)
def test_a_trail_knows_the_lines_that_were_begun(written, begun, below):
    trail = CursorTracker()
    for each in written:
        trail.follow(each)
    assert (trail.begun(), trail.below) == (begun, below)


def test_a_trail_keeps_little():
    trail = CursorTracker()
    for _ in range(1000):
        trail.follow("x" * 1000 + "\n" * 10)
    trail.follow("y" * 100_000)
    assert len(str(vars(trail))) < 50_000
    assert not trail.fits(80)


# --- texts


def test_text_that_a_terminal_would_obey_is_shown_as_it_is_written():
    assert escaped("plain 日本語 é") == "plain 日本語 é"
    assert escaped("\x1b[2J\x9b\x07\u202e\u2028\ud800") == r"\x1b[2J\x9b\x07\u202e\u2028\ud800"
    assert escaped("👨\u200d👩") == "👨\u200d👩"
    assert lines_of("a\tb\r\nc\n\nd\n\n") == ["a    b", "c", "", "d"]
    assert lines_of("") == [""]
