"""Libraries that are left out where they have no wheel for a Python: pyproject.toml's markers say which."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest


def needs(library: str) -> pytest.MarkDecorator:
    """Return a mark that leaves a test out where a library is missing and pyproject.toml may have left it out."""
    version = "{}.{}".format(*sys.version_info)
    missing = sys.version_info >= (3, 14) and find_spec(library) is None
    return pytest.mark.skipif(missing, reason=f"{library} has no wheel for Python {version}")
