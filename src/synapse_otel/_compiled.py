"""The compiled module, where it is installed and wanted: `Settings.native` says when."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any, Final

VARIABLE: Final = "SYNAPSE_OTEL_NATIVE"
MODE: Final = os.environ.get(VARIABLE, "").strip().lower() or "on"


def _load() -> tuple[Any, str]:
    """Return the module, or None and why there is none."""
    if MODE == "off":
        return None, f"{VARIABLE} is off"
    try:
        return import_module("synapse_otel._native"), ""
    except ImportError as error:  # no wheel for this machine, and no compiler when it was installed
        return None, str(error)


_module, WHY_NOT = _load()
native: Final[Any] = _module
"""The module ``synapse_otel._native``, or None."""


def compare(compiled: object, expected: object) -> None:
    """End the process where the two differ: nothing may contain this, and no test may overlook it."""
    if compiled != expected:
        print(f"compiled: {compiled!r}\nPython:   {expected!r}", file=sys.stderr, flush=True)  # noqa: T201 - see above
        os.abort()
