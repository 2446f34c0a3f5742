"""The interpreter for the shipper's process: a Python, and never the user's own program."""

from __future__ import annotations

import os
import re
import sys
from typing import Final

_PYTHON: Final = re.compile(r"(python|pypy)[\d.]*[a-z]{0,2}(-dbg)?", re.IGNORECASE)
"""File names of interpreters: ``python3``, ``python3.13t``, ``python3.11-dbg``, ``pypy3.10``."""


def interpreter() -> str | None:
    """Return the interpreter that runs this process; None if it may be another program.

    In a frozen program (PyInstaller, cx_Freeze, Nuitka), and if Python is embedded in another one (uWSGI, an
    application with scripts), ``sys.executable`` is that program, if it is set: starting it would run the user's
    work again.
    """
    path = sys.executable
    if not path or is_frozen() or not (os.path.isfile(path) and os.access(path, os.X_OK)):
        return None
    names = {os.path.basename(path), os.path.basename(os.path.realpath(path))}
    return path if any(_PYTHON.fullmatch(name) for name in names) else None


def is_frozen() -> bool:
    """Return whether the program is bundled with its Python."""
    return bool(getattr(sys, "frozen", False)) or hasattr(sys.modules.get("__main__"), "__compiled__")


def runs_threads() -> bool:
    """Return whether threads run here: in uWSGI they do not unless `enable-threads` is set."""
    uwsgi = sys.modules.get("uwsgi")
    if uwsgi is None:
        return True
    given = getattr(uwsgi, "opt", {})
    return any(name in given or name.encode() in given for name in ("enable-threads", "threads"))
