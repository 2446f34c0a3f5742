"""Where standard output is shown: on a terminal, in a notebook, or nowhere that anybody looks at."""

from __future__ import annotations

import os
import sys
from typing import Any

from synapse_otel._guard import let_through


def is_watched() -> bool:
    """Return whether standard output is a terminal that somebody looks at, and that can move its cursor."""
    stream = sys.stdout
    try:
        shows = stream is not None and stream.isatty()
    except (AttributeError, ValueError, OSError) as error:  # it has `write` and no more, or is closed
        let_through(error)
        return False
    if not shows:
        return False
    return not os.environ.get("CI") and os.environ.get("TERM") not in {"dumb", "unknown"}


def notebook_shell() -> Any:
    """Return IPython's shell if standard output is the cell of a notebook, else None."""
    if "IPython" not in sys.modules or type(sys.stdout).__module__.partition(".")[0] not in {"ipykernel", "google"}:
        return None
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return None if getattr(shell, "kernel", None) is None else shell
