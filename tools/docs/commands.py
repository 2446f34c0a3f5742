"""The commands and their options, from the functions that typer makes them of."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from typer.models import ArgumentInfo, OptionInfo

from synapse_otel.cli.app import app
from synapse_otel.cli.codes import EXIT_CODES
from tools.docs.markdown import code, prose, table

COMMANDS: Final[dict[str, Callable[..., Any]]] = {
    one.name or one.callback.__name__: one.callback for one in app.registered_commands if one.callback
}
"""The function of every command."""
_VALUES: Final = {int: "N", float: "SECONDS", Path: "PATH", str: "TEXT"}


def overview() -> str:
    """Return what each command is for, with a link to its section."""
    rows = [(f"[`synapse-otel {name}`](#{name})", prose(found.__doc__ or "")) for name, found in COMMANDS.items()]
    return table(("command", "what it does"), rows)


def options(command: str) -> str:
    """Return the arguments and options of a command."""
    rows = []
    for name, kind, default, info in _parameters(COMMANDS[command]):
        if isinstance(info, ArgumentInfo):
            rows.append(
                (code(_argument(name, kind, info, required=default is inspect.Parameter.empty)), info.help or "")
            )
        else:
            rows.append((", ".join(map(code, _names(name, kind, info))), _meaning(name, kind, default, info)))
    return table(("argument or option", "meaning"), rows)


def exit_codes() -> str:
    """Return which code each command exits with, and when; commands with the same codes share a column."""
    columns: dict[tuple[tuple[int, str], ...], list[str]] = {}
    for name, codes in EXIT_CODES.items():
        columns.setdefault(tuple(codes.items()), []).append(name)
    numbers = sorted({number for codes in EXIT_CODES.values() for number in codes})
    head = ["code", *(", ".join(map(code, names)) for names in columns.values())]
    return table(head, [[str(number), *(dict(column).get(number, "") for column in columns)] for number in numbers])


def option_names(command: str) -> set[str]:
    """Return every spelling of a command's options."""
    found = {"-h", "--help"}
    for name, kind, _, info in _parameters(COMMANDS[command]):
        if isinstance(info, OptionInfo):
            found |= {spelling.split(" ")[0] for spelling in _names(name, kind, info)}
    return found


def _parameters(function: Callable[..., Any]) -> Iterator[tuple[str, Any, Any, ArgumentInfo | OptionInfo]]:
    """Yield name, type, default and typer's description of each parameter."""
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        if get_origin(hints[name]) is Annotated:
            kind, info = get_args(hints[name])[:2]
            yield name, _without_none(kind), parameter.default, info


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in {Union, types.UnionType}:
        return next(one for one in get_args(kind) if one is not type(None))
    return kind


def _argument(name: str, kind: Any, info: ArgumentInfo, *, required: bool) -> str:
    said = str(info.metavar or name.upper()).strip("[]") + ("..." if get_origin(kind) is list else "")
    return said if required else f"[{said}]"


def _names(name: str, kind: Any, info: OptionInfo) -> list[str]:
    first = [info.default] if isinstance(info.default, str) else []  # inside Annotated it is the first spelling
    spellings = [*first, *(info.param_decls or ())]
    if not spellings:
        spellings = [f"--{name.replace('_', '-')}"]
        if kind is bool:
            return [*spellings, spellings[0].replace("--", "--no-", 1)]
    if kind is bool:
        return spellings
    each = get_args(kind)[0] if get_origin(kind) is list else kind
    value = "|".join(get_args(kind)) if get_origin(kind) is Literal else info.metavar or _VALUES[each]
    return [f"{spelling} {value}" for spelling in spellings]


def _meaning(name: str, kind: Any, default: Any, info: OptionInfo) -> str:
    said = info.help or ""
    if default is None or (kind is bool and len(_names(name, kind, info)) == 1):
        return said
    return f"{said} Default: {code(_names(name, kind, info)[0] if default is True else default)}."
