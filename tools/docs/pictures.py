"""The picture of a terminal in README.md: what a real run of the demo prints, as SVG."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from tools.docs.blocks import ROOT

DEMO: Final = ROOT / "examples" / "digits_demo.py"
PICTURE: Final = ROOT / "docs" / "images" / "demo.svg"
WIDTH: Final = 110
_FONT_FACE: Final = re.compile(r"\s*@font-face\s*\{.*?\}", re.DOTALL)
_FONTS: Final = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_COMMENT: Final = re.compile(r"\s*<!--.*?-->", re.DOTALL)
_IDS: Final = re.compile(r"\bterminal-\d+")
_STYLE: Final = re.compile(r"\x1b\[[0-9;]*m")
_HOME: Final = "~/.local/state"
_SHOWN: Final = 8
"""Lines of the job's own output that are shown; the report, which begins behind an empty line, is shown whole."""


def write_pictures() -> list[Path]:
    """Run the demo and write its picture; return what was written.

    Raises:
        RuntimeError: the demo failed; the message holds what it said.
    """
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(svg(f"$ make demo\n{_shortened(_demo())}", title="make demo"), encoding="utf-8")
    return [PICTURE]


def svg(printed: str, *, title: str) -> str:
    """Return what was printed, colours included, as an SVG that refers to nothing outside itself."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(Text.from_ansi(printed.rstrip()), soft_wrap=False)
    return cleaned(console.export_svg(title=title, unique_id="demo"))


def cleaned(drawn: str) -> str:
    """Return what rich has drawn without what it refers to outside, and equal for equal screens."""
    drawn = _COMMENT.sub("", _FONT_FACE.sub("", drawn))
    drawn = _IDS.sub("terminal", drawn)
    drawn = re.sub(r"font-family: Fira Code, monospace", f"font-family: {_FONTS}", drawn)
    return "\n".join(line.rstrip() for line in drawn.splitlines()) + "\n"


def _shortened(printed: str) -> str:
    """Return what was printed with only the first lines of what stands before the report."""
    lines = printed.splitlines()
    report = next((at for at, line in enumerate(lines) if not _STYLE.sub("", line).strip()), 0)
    return "\n".join([*lines[:_SHOWN], "⋮", *lines[report:]] if report > _SHOWN else lines)


def _demo() -> str:
    """Return what the demo prints, with nothing of this machine in it."""
    with tempfile.TemporaryDirectory() as state:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SYNAPSE_", "CI"))}
        environment = {
            **kept,
            "XDG_STATE_HOME": state,
            "COLUMNS": str(WIDTH),
            "FORCE_COLOR": "1",
            "COLORTERM": "truecolor",
            "TERM": "xterm-256color",
            "PYTHONIOENCODING": "utf-8",
            "TZ": "UTC",
        }
        ended = subprocess.run(
            [sys.executable, DEMO], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
        )
    if ended.returncode:
        raise RuntimeError(f"the demo ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}")
    printed = ended.stdout.replace(state, _HOME).replace(f"{Path(sys.executable).parent}{os.sep}", "")
    if tempfile.gettempdir() in printed or str(ROOT) in printed:
        raise RuntimeError("a path of this machine is left in the demo's output")
    return printed
