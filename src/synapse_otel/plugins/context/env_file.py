"""Files that hold a plugin's environment: JSON, TOML, and lines of ``KEY=value``."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

_ASSIGNMENT: Final = re.compile(r"(?:export\s+)?(?P<key>[A-Za-z_][\w.-]*)\s*=\s*(?P<value>.*)")
_QUOTED: Final = re.compile(r"""(?P<quote>["'])(?P<text>(?:\\.|(?!(?P=quote)).)*)(?P=quote)\s*(?:#.*)?""")
_COMMENT: Final = re.compile(r"(?:^|\s+)#.*$")
_ESCAPE: Final = re.compile(r"\\(.)")
_ESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t"}


def read_env_file(path: Path) -> dict[str, Any]:
    """Return the values that a file holds; its name says in which form.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not of its form; the message says where.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        msg = f"there is no file {path}"
        raise FileNotFoundError(msg) from error
    try:
        if path.suffix == ".json":
            return _json(text)
        if path.suffix == ".env" or path.name == ".env" or path.name.startswith(".env."):
            return _lines(text)
        return tomllib.loads(text)
    except ValueError as error:
        msg = f"{path}: {error}"
        raise ValueError(msg) from error


def _json(text: str) -> dict[str, Any]:
    values = json.loads(text)
    if not isinstance(values, dict):
        msg = f"must hold an object, not {type(values).__name__}"
        raise ValueError(msg)  # noqa: TRY004 - a file's content, not an argument's type
    return values


def _lines(text: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        assignment = _ASSIGNMENT.fullmatch(line)
        if assignment is None:
            msg = f"line {number} must be KEY=value, not {line!r}"
            raise ValueError(msg)
        values[assignment["key"]] = _unquoted(assignment["value"], number)
    return values


def _unquoted(value: str, number: int) -> str:
    if not value.startswith(('"', "'")):
        return _COMMENT.sub("", value)
    quoted = _QUOTED.fullmatch(value)
    if quoted is None:
        msg = f"line {number} has an open quote: {value!r}"
        raise ValueError(msg)
    if quoted["quote"] == "'":
        return quoted["text"]
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), quoted["text"])
