"""Libraries that are left out where they have no wheel for a Python: pyproject.toml's markers say which."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, distribution

import pytest


def needs(library: str) -> pytest.MarkDecorator:
    """Return a mark that leaves a test out where a library is missing and pyproject.toml may have left it out."""
    missing = sys.version_info >= (3, 14) and not _is_installed(library)
    return pytest.mark.skipif(missing, reason="{} has no wheel for Python {}.{}".format(library, *sys.version_info))


def _is_installed(library: str) -> bool:
    try:
        distribution(library)  # a module of its name may be a folder of tests
    except PackageNotFoundError:
        return False
    return True
