"""The table of ours in a project's ``pyproject.toml``, which may be anybody's file, or none."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any, Final

from synapse_otel.notices import say_once
from synapse_otel.settings.base import SettingsError

PYPROJECT: Final = "pyproject.toml"
TABLE: Final = "[tool.synapse_otel]"


def pyproject_settings() -> dict[str, Any]:
    """Return what the file of the working directory sets; one that cannot be read is told once, and passed over.

    Raises:
        SettingsError: there is something else where our table should be.
    """
    try:
        content = _parsed()
    except OSError as error:
        say_once(f"{PYPROJECT} is ignored: {error.strerror or error}")
        return {}
    except (ValueError, RecursionError) as error:  # what is no TOML, and what is no UTF-8
        say_once(f"{PYPROJECT} is ignored, since it is not valid TOML: {error}")
        return {}
    tool = content.get("tool")
    table = tool.get("synapse_otel", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        msg = f"{PYPROJECT}: {TABLE} must be a table, not {table!r}"
        raise SettingsError(msg)
    return table


def _parsed() -> dict[str, Any]:
    try:
        file = Path(PYPROJECT)
        if not stat.S_ISREG(file.stat().st_mode):  # to open a pipe would wait for who writes to it
            return {}
        import tomllib  # few jobs have the file

        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
