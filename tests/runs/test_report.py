"""How a recording looks in a terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from synapse_otel.runs import Recording
from synapse_otel.ui.formats import duration, fitted, fitted_middle, number, offset, printable
from synapse_otel.ui.glyphs import ASCII, UNICODE
from synapse_otel.ui.printed import Report
from synapse_otel.ui.printed.curves import is_lower_better, sparkline
from synapse_otel.ui.printed.page import Page
from synapse_otel.ui.printed.progress import progress

pytestmark = pytest.mark.once


class Terminal(io.TextIOWrapper):
    """A terminal of an encoding, in memory."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


def shown(folder: Path, width: int = 100, encoding: str = "utf-8", *, colour: bool = False) -> str:
    terminal = Terminal(encoding)
    console = Console(
        file=terminal, width=width, color_system="standard" if colour else None, highlight=False, legacy_windows=False
    )
    console.print(Report(Recording.read(folder)))
    return terminal.text()


def line_with(text: str, part: str) -> str:
    return next(line for line in text.splitlines() if part in line)


def test_a_success_shows_all_its_sections(success):
    text = shown(success)
    assert line_with(text, "train yolo 1.2.0").endswith("ms") or "✓ success in" in text
    for heading in ("Spans", "Progress", "Metrics", "Messages and events", "Delivery"):
        assert any(line.startswith(heading) for line in text.splitlines()), heading
    assert "epochs=5" in line_with(text, "params")
    assert "model_path=model.bin" in line_with(text, "made")
    assert Recording.read(success).job.trace_id in line_with(text, "trace")
    assert "○ cached" in line_with(text, "cached")
    assert "skipped" in line_with(text, "○ cached")
    assert "Exception" not in text


def test_every_curve_has_its_first_best_and_last_value(success):
    text = shown(success)
    loss, accuracy = line_with(text, "train loss"), line_with(text, "train accuracy")
    assert "█▄▂▁▁" in loss
    assert loss.split()[-5:] == ["1", "min", "0.2", "0.2", "5"]
    assert accuracy.split()[-5:] == ["0", "max", "0.8", "0.8", "5"]


def test_messages_say_how_they_are_meant(success):
    text = shown(success)
    assert "warning" in line_with(text, "slow disk")
    assert "event" in line_with(text, "checkpoint")
    assert "note=token=[redacted]" in text
    assert "dev" in line_with(text, "mean=0.5")
    assert "plugin: 7 images" in text


def test_a_failure_shows_where_and_what_was_undone(failure):
    text = shown(failure)
    assert "✗ failure in" in text
    assert "✗ export" in text
    assert "KeyError: 'no room'" in text
    assert [line.split()[1:4] for line in text.splitlines() if "↶" in line] == [
        ["↶", "rollback", "export"],
        ["↶", "rollback", "train"],
        ["↶", "rollback", "load"],
    ]
    assert 'raise KeyError("no room")' in text
    assert "orchestrator.py" not in text


def test_a_killed_run_shows_what_was_open(killed):
    text = shown(killed)
    assert "✗ killed, last seen after" in text
    assert "its process was killed; last sign of life +" in text
    assert line_with(text, "✗ write").endswith("━✗")
    assert "30%" in line_with(text, "3/10")
    assert "stopped +" in line_with(text, "3/10")


@pytest.mark.parametrize("width", [30, 50, 64, 80, 100, 120, 200])
@pytest.mark.parametrize("run", ["success", "failure", "killed", "many"])
def test_no_line_is_wider_than_the_terminal(run, width, request):
    for line in shown(request.getfixturevalue(run), width).splitlines():
        assert cell_len(line) <= width, line


@pytest.mark.parametrize("width", range(64, 130, 6))
@pytest.mark.parametrize("run", ["success", "failure", "killed", "many"])
def test_progress_takes_one_line_each_and_is_not_folded(run, width, request):
    for line in progress(Page(Recording.read(request.getfixturevalue(run)), width, UNICODE)):
        assert cell_len(line.plain) <= width, line.plain


@pytest.mark.parametrize("run", ["success", "failure", "killed", "many"])
def test_a_terminal_without_unicode_gets_ascii(run, request):
    text = shown(request.getfixturevalue(run), encoding="ascii")
    assert text.isascii()
    assert "Spans" in text


def test_without_colours_there_is_nothing_but_text(failure):
    assert "\x1b" not in shown(failure)
    assert "\x1b[31m" in shown(failure, colour=True)


def test_a_huge_run_is_bounded_and_says_what_is_left_out(many):
    text = shown(many)
    assert len(text.splitlines()) < 250
    assert "… and 241 more spans" in text
    assert "… and 76 more categories" in text
    assert "… and 60 more metrics" in text
    assert "… and 264 more here" in text
    assert "last words" in text


def test_what_a_terminal_would_obey_is_taken_out(many):
    assert "look ?[31mhere and there" in shown(many, 160)


# --- parts ---------------------------------------------------------------------------------------------


def test_a_sparkline_shows_the_shape():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8, UNICODE.spark) == "▁▂▃▄▅▆▇█"
    assert sparkline([5, 5], 8, UNICODE.spark) == "▄▄"
    assert len(sparkline(list(range(1000)), 20, ASCII.spark)) == 20
    assert sparkline([0, 0, 9, 9], 2, UNICODE.spark) == "▁█"


@pytest.mark.parametrize("name", ["loss", "val_loss", "trainLoss", "box/loss", "error_rate", "RMSE", "mae"])
def test_the_best_of_a_loss_is_its_lowest(name):
    assert is_lower_better(name)


@pytest.mark.parametrize("name", ["accuracy", "mAP50", "f1", "recall", "floss", "lr"])
def test_the_best_of_anything_else_is_its_highest(name):
    assert not is_lower_better(name)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.00001, "<0.1 ms"),
        (0.0003, "0.3 ms"),
        (0.0422, "42 ms"),
        (0.9999, "999 ms"),
        (9.814, "9.81 s"),
        (59.94, "59.9 s"),
        (725, "12 m 05 s"),
        (11_220, "3 h 07 m"),
        (187_200, "2 d 04 h"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_offsets():
    assert [offset(seconds) for seconds in (0, 1.254, 62, 3725, -1)] == [
        "+0.00 s",
        "+1.25 s",
        "+1:02",
        "+1:02:05",
        "-1.00 s",
    ]


def test_numbers():
    values = [0, 3, 1234, 0.12345, 2066.1, 1e9, 1.5e-7, -2.5, 12345.6]
    assert [number(value) for value in values] == [
        "0", "3", "1,234", "0.1235", "2,066", "1e+09", "1.5e-07", "-2.5", "12,346",
    ]  # fmt: skip


def test_texts_are_fitted_by_cells():
    assert fitted("훈련 데이터", 6, UNICODE) == "훈련 …"
    assert fitted("ab", 4, UNICODE) == "ab  "
    assert fitted_middle("accuracy.digit_7", 9, UNICODE) == "accu…it_7"
    assert printable("a\tb\x1b[0m\u202e") == "a b?[0m?"
