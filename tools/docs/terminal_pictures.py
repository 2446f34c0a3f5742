"""Pictures of `synapse-otel view --terminal`: the command itself, in a terminal of its own, drawn by Textual."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tools.docs.demo_runs import COMMAND
from tools.docs.pictures import cleaned

COLUMNS: Final = 110
_SECONDS: Final = 60


def write_terminal_picture(picture: Path, environment: Mapping[str, str], *keys: str, lines: int) -> Path:
    """Look at the journals that ``environment`` tells of, press keys, and write what is then to be seen.

    Raises:
        RuntimeError: nothing was drawn, or a path of this machine is in it.
    """
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "drawn.svg"
        _look({**environment, **_orders(drawn, keys)}, lines)
        if not drawn.exists():
            raise RuntimeError(f"{picture.name}: nothing was drawn")
        text = cleaned(drawn.read_text(encoding="utf-8"))
    if tempfile.gettempdir() in text:
        raise RuntimeError(f"{picture.name}: a path of this machine can be seen")
    picture.write_text(text, encoding="utf-8")
    return picture


def _orders(drawn: Path, keys: tuple[str, ...]) -> dict[str, str]:
    """Return the variables by which Textual presses keys and draws; it waits between two of them."""
    pressed = ["wait:1500", *(part for key in keys for part in (key, "wait:500"))]
    return {
        "TEXTUAL_PRESS": ",".join(pressed),
        "TEXTUAL_SCREENSHOT": str(4 + len(keys)),
        "TEXTUAL_SCREENSHOT_LOCATION": str(drawn.parent),
        "TEXTUAL_SCREENSHOT_FILENAME": drawn.name,
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "PYTHONIOENCODING": "utf-8",
    }


def _look(environment: Mapping[str, str], lines: int) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, COLUMNS, 0, 0))
    command = [sys.executable, "-c", COMMAND, "view", "--terminal"]
    process = subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    reader = threading.Thread(target=_drain, args=(ours,), daemon=True)
    reader.start()
    try:
        process.wait(_SECONDS)
    finally:
        process.kill()
        process.wait()
        reader.join()
        os.close(ours)


def _drain(terminal: int) -> None:
    """Read what is written to a terminal, so that its writer goes on."""
    try:
        while os.read(terminal, 1 << 16):
            pass
    except OSError:  # on Linux, how the end of a terminal shows itself
        return
