"""The public names, module by module: as Markdown for forges, and for mkdocstrings to show on the site."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from enum import Enum
from functools import partial
from importlib import import_module
from pydoc import locate
from types import FunctionType, ModuleType
from typing import Any, Final

from tools.docs.interface import members, signature
from tools.docs.markdown import attribute_docs, prose

FORGE: Final = "<!-- on a forge -->"
"""Begins what stands in a page for forges; the site has a directive in its place, which forges take for a comment."""
_FORGE_PART: Final = re.compile(rf"^{FORGE}\n.*?^<!--\n(?P<directive>::: .*?)^-->$", re.MULTILINE | re.DOTALL)
_FIELD: Final = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)
_LINE: Final = 80
"""Letters of the parameters that stand on one line."""

MODULES: Final = (
    "synapse_otel",
    "synapse_otel.plugins.context",
    "synapse_otel.plugins.models.logger",
    "synapse_otel.plugins.steps",
    "synapse_otel.plugins.steps.utils",
    "synapse_otel.plugins.actions.train",
    "synapse_otel.plugins.actions.export",
    "synapse_otel.plugins.actions.upload",
    "synapse_otel.plugins.actions.inference",
    "synapse_otel.plugins.actions.add_task_data",
    "synapse_otel.loggers",
    "synapse_otel.read",
    "synapse_otel.integrations.ray",
    "synapse_otel.testing",
)
"""Where users import from; a name that several have is shown where it comes first."""


def sections() -> dict[str, Callable[[], str]]:
    """Return what writes the block of each module, by the block's name."""
    return {f"api-{name.replace('.', '-').replace('_', '-')}": partial(_section, name) for name in own_names()}


def api() -> str:
    """Return all of it."""
    return "\n\n".join(_section(name) for name in own_names())


def own_names() -> dict[str, list[str]]:
    """Return by module where the classes and functions are written that no module before it offers."""
    seen: set[str] = set()
    found = {}
    for name in MODULES:
        module = import_module(name)
        homes = dict.fromkeys(_home(module, public) for public in public_names(module))
        own = [home for home in homes if home is not None and home not in seen]
        seen.update(own)
        if own:
            found[name] = sorted(own, key=lambda home: inspect.isclass(locate(home)))
    return found


def _section(name: str) -> str:
    said = prose((import_module(name).__doc__ or "").partition("\n")[0])
    return "\n\n".join([said, *map(_symbol, own_names()[name])])


def public_names(module: ModuleType) -> list[str]:
    """Return what a module offers: its ``__all__``, or the classes that are written in it."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    found = ((name, one) for name, one in vars(module).items() if inspect.isclass(one) and not name.startswith("_"))
    return [name for name, one in found if one.__module__ == module.__name__]


def _symbol(home: str) -> str:
    """Return a class or function as Markdown that any forge shows, and what the site shows in its place."""
    found: Any = locate(home)
    parts = [
        f"{FORGE}\n### `{found.__name__}`",
        f'<a id="{home}"></a>',
        "" if _is_enum(found) else declared(found),
        _summary(found),
    ]
    if inspect.isclass(found):
        parts.append("\n".join(_members(found)))
    return "\n\n".join([*filter(None, parts), f"<!--\n{_directive(home)}\n-->"])


def for_site(text: str) -> str:
    """Return a page with the site's directives in place of what forges show."""
    return _FORGE_PART.sub(lambda match: match["directive"].rstrip("\n"), text)


def _directive(home: str) -> str:
    """Return what shows a name; of an enumeration its values too, which have no texts of their own."""
    options = "\n    options:\n      show_if_no_docstring: true" if _is_enum(locate(home)) else ""
    return f"::: {home}{options}"


def _is_enum(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Enum)


def _summary(value: object) -> str:
    return prose((inspect.getdoc(value) or "").partition("\n\n")[0])


def _members(value: type) -> Iterator[str]:
    """Yield a line for each member that is not one of a public class before."""
    if issubclass(value, Enum):
        yield from (f"- `{one.name}`: `{one.value!r}`" for one in value)
        return
    fields = _fields(value)
    base = next((one for one in value.__mro__[1:] if f"{one.__module__}.{one.__qualname__}" in _HOMES), None)
    names = (members(value) | set(fields)) - (members(base) if base is not None else set())
    for name in sorted(names):
        member = inspect.getattr_static(value, name, None)
        if isinstance(member, classmethod | staticmethod):
            member = member.__func__
        shown = name + signature(member, bound=True) if isinstance(member, FunctionType) else name
        said = fields.get(name) or (_summary(member) if isinstance(member, FunctionType | property) else "")
        yield f"- `{shown}`" + (f": {said}" if said else "")
    if base is not None:
        yield f"- and the members of [`{base.__name__}`](#{base.__module__}.{base.__qualname__})"


def _fields(value: type) -> dict[str, str]:
    """Return what is said of attributes: below ``Attributes:`` in the docstring, and below themselves."""
    found = {name: said for name, said in attribute_docs(value).items() if not name.startswith("_")}
    _before, _head, section = (inspect.getdoc(value) or "").partition("Attributes:\n")
    lines = section.partition("\n\n")[0]
    return found | {name: prose(said) for name, said in _FIELD.findall(lines)}


def declared(value: Any) -> str:
    """Return how a class or function is called; on a line for each parameter where it is long."""
    shown = signature(value)
    inside, _, result = shown.removeprefix("(").rpartition(") -> ")
    if not inside and not result:
        return ""
    if hasattr(value, "__wrapped__"):  # by `contextmanager`
        result = result.replace("Iterator[", "AbstractContextManager[")
    result = "" if inspect.isclass(value) else f" -> {result}"
    if len(inside) <= _LINE:
        return f"```py\n{value.__name__}({inside}){result}\n```"
    lines = "\n".join(f"    {part}," for part in _parameters(inside))
    return f"```py\n{value.__name__}(\n{lines}\n){result}\n```"


def _parameters(inside: str) -> list[str]:
    """Return what stands between the commas that are in no brackets."""
    parts, depth = [""], 0
    for letter in inside:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _home(module: ModuleType, name: str) -> str | None:
    """Return where a class or function is written; None for anything else."""
    found = getattr(module, name)
    return f"{found.__module__}.{found.__qualname__}" if inspect.isclass(found) or inspect.isfunction(found) else None


_HOMES: Final = frozenset(home for homes in own_names().values() for home in homes)
