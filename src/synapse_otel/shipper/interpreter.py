"""What the shipper's process can be run with: a Python, and nothing that may be the user's own program."""

from __future__ import annotations

import os
import re
import sys
from typing import Final

_PYTHON: Final = re.compile(r"(python|pypy)[\d.]*[a-z]{0,2}(-dbg)?", re.IGNORECASE)
"""What an interpreter's file is called: ``python3``, ``python3.13t``, ``python3.11-dbg``, ``pypy3.10``."""


def interpreter() -> str | None:
    """Return the interpreter that runs this process; None where it is not known to be one.

    In a frozen program (PyInstaller, cx_Freeze, Nuitka), and where Python is embedded in another one (uWSGI, an
    application with scripts), ``sys.executable`` is that program, if it is anything: started with whatever arguments,
    it would begin the user's work again.
    """
    path = sys.executable
    if not path or is_frozen() or not (os.path.isfile(path) and os.access(path, os.X_OK)):
        return None
    names = {os.path.basename(path), os.path.basename(os.path.realpath(path))}
    return path if any(_PYTHON.fullmatch(name) for name in names) else None


def is_frozen() -> bool:
    """Say whether the program is bundled with its Python."""
    return bool(getattr(sys, "frozen", False)) or hasattr(sys.modules.get("__main__"), "__compiled__")


def runs_threads() -> bool:
    """Say whether threads run here: in uWSGI they stand still unless it was told that there are some."""
    uwsgi = sys.modules.get("uwsgi")
    if uwsgi is None:
        return True
    given = getattr(uwsgi, "opt", {})
    return any(name in given or name.encode() in given for name in ("enable-threads", "threads"))
