"""How settings are read, and what is said of a wrong one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from urllib.parse import unquote

from pydantic import ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from synapse_otel.notices import Check, explained_by


class SettingsError(ValueError):
    """A setting is wrong: the message names it, its value, and what is allowed."""

    def __init__(self, message: str) -> None:
        """Attach the doctor hint as a note."""
        super().__init__(message)
        self.add_note(explained_by(Check.SETTINGS))


def words(value: object) -> object:
    """Read words separated by commas."""
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def pairs(value: object) -> object:
    """Read ``key=value,key=value`` as the specification of W3C Baggage has it, values percent-encoded."""
    if not isinstance(value, str):
        return value
    pairs = {}
    for entry in filter(None, (entry.strip() for entry in value.split(","))):
        name, separator, text = entry.partition("=")
        if not separator or not name.strip():
            msg = "must be key=value pairs separated by commas"
            raise ValueError(msg)
        pairs[name.strip().lower()] = unquote(text.strip())
    return pairs


def lower(value: object) -> object:
    """Read a word in any case."""
    return value.strip().lower() if isinstance(value, str) else value


def boolean(value: object) -> object:
    """Read a boolean of the specification, which allows no other words than these."""
    if not isinstance(value, str):
        return value
    if value.strip().lower() not in {"true", "false"}:
        msg = "must be true or false"
        raise ValueError(msg)
    return value.strip().lower() == "true"


def absolute(path: Path) -> Path:
    """Return a path from the root on; where the working directory is gone, as it is: nothing can be there."""
    try:
        return path.absolute()
    except OSError:
        return path


class Source(BaseSettings):
    """Settings from the environment: an empty variable counts as unset, an unknown field is an error."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _stripped(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Take the white space around texts away: a secret of Kubernetes often ends with a line feed."""
        texts = {name: value.strip() if isinstance(value, str) else value for name, value in values.items()}
        return {name: value for name, value in texts.items() if value != ""}


_Loaded = TypeVar("_Loaded", bound=BaseSettings)


def loaded(load: Callable[[], _Loaded], prefix: str, aliases: Mapping[str, str] | None = None) -> _Loaded:
    """Return settings.

    Args:
        load: makes them.
        prefix: what their variables begin with...
        aliases: ... but for these, by field.

    Raises:
        SettingsError: one of them is wrong.
    """
    try:
        return load()
    except ValidationError as error:
        raise SettingsError(_explained(error, prefix, aliases or {})) from None


def _explained(error: ValidationError, prefix: str, aliases: Mapping[str, str]) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_context=False):
        name = str(problem["loc"][0]) if problem["loc"] else "?"
        name = aliases.get(name, name)
        variable = name if name.isupper() else f"{prefix}{name.upper()}"
        secret = "HEADERS" in variable
        value = "" if secret else f"={problem.get('input', '')!s}"
        lines.append(f"{variable}{value}: {problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(lines)
