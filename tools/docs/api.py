"""The public names, module by module, for mkdocstrings to show."""

from __future__ import annotations

import inspect
from enum import Enum
from importlib import import_module
from pydoc import locate
from types import ModuleType
from typing import Final

from tools.docs.markdown import prose

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


def api() -> str:
    """Return a section for each module, with a directive for each of its public names."""
    seen: set[str] = set()
    parts = []
    for name in MODULES:
        module = import_module(name)
        homes = dict.fromkeys(_home(module, public) for public in public_names(module))
        own = [home for home in homes if home is not None and home not in seen]
        seen.update(own)
        if own:
            parts.append(f"## `{name}`\n\n{prose((module.__doc__ or '').partition(chr(10))[0])}")
            parts += [_directive(home) for home in sorted(own, key=lambda home: inspect.isclass(locate(home)))]
    return "\n\n".join(parts)


def public_names(module: ModuleType) -> list[str]:
    """Return what a module offers: its ``__all__``, or the classes that are written in it."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    found = ((name, one) for name, one in vars(module).items() if inspect.isclass(one) and not name.startswith("_"))
    return [name for name, one in found if one.__module__ == module.__name__]


def _directive(home: str) -> str:
    """Return what shows a name; of an enumeration its values too, which have no texts of their own."""
    found = locate(home)
    values = inspect.isclass(found) and issubclass(found, Enum)
    return f"::: {home}" + ("\n    options:\n      show_if_no_docstring: true" if values else "")


def _home(module: ModuleType, name: str) -> str | None:
    """Return where a class or function is written; None for anything else."""
    found = getattr(module, name)
    return f"{found.__module__}.{found.__qualname__}" if inspect.isclass(found) or inspect.isfunction(found) else None
