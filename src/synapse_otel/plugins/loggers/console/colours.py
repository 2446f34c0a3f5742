"""Lines as text for a terminal, with or without colours."""

from __future__ import annotations

import os
from typing import Final

from synapse_otel.plugins.loggers.console.lines import Line

_CODES: Final = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}


def painted(line: Line, *, colours: bool) -> str:
    """Return the text of a line; ``colours``: with the codes that a terminal shows its styles by."""
    if not colours:
        return "".join(piece for piece, _style in line)
    return "".join(f"\x1b[{_code(style)}m{piece}\x1b[0m" if style and piece else piece for piece, style in line)


def wants_colours(*, terminal: bool) -> bool:
    """Return whether to use colours: ``NO_COLOR`` and ``FORCE_COLOR`` decide, else whether a terminal shows them."""
    if os.environ.get("NO_COLOR"):
        return False
    forced = os.environ.get("FORCE_COLOR")
    return forced not in {"0", "false"} if forced else terminal


def _code(style: str) -> str:
    return ";".join(_CODES[word] for word in style.split())
