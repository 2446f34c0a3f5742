"""What others depend on, as text: a change of it is a change of one line of a file (docs/upgrades.md)."""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from types import FunctionType
from typing import Any, Final

from synapse_otel import semconv
from synapse_otel.cli.codes import EXIT_CODES
from synapse_otel.journal.frames import FORMAT_VERSION, Kind
from synapse_otel.settings import Settings, variables_of
from tools.docs import commands, telemetry_schema
from tools.docs.blocks import ROOT

FILE: Final = ROOT / "docs" / "interface.txt"
MODULES: Final = (
    "synapse_otel",
    "synapse_otel.loggers",
    "synapse_otel.plugins.actions.add_task_data",
    "synapse_otel.plugins.actions.export",
    "synapse_otel.plugins.actions.inference",
    "synapse_otel.plugins.actions.to_task",
    "synapse_otel.plugins.actions.train",
    "synapse_otel.plugins.actions.upload",
    "synapse_otel.plugins.context",
    "synapse_otel.plugins.models.logger",
    "synapse_otel.plugins.steps",
    "synapse_otel.plugins.steps.utils",
    "synapse_otel.read",
    "synapse_otel.testing",
)
"""Modules whose ``__all__`` is public."""
_METRICS: Final = (semconv.METRICS, semconv.USAGE_METRICS, semconv.SELF_METRICS, semconv.VERIFY_METRICS)
_QUOTED: Final = re.compile(r"(: |-> )'([^']*)'")
_MEMBER: Final = re.compile(r"<(\w+\.\w+): [^>]*>")


def interface() -> str:
    """Return all of it, a line for each thing."""
    return "\n".join((_HEAD, *_names(), *_settings(), *_commands(), *_exit_codes(), *_telemetry(), *_journal(), ""))


_HEAD: Final = "# What others depend on. Generated: `python -m tools.docs`. docs/upgrades.md says what may change when."


def _names() -> Iterator[str]:
    for module in MODULES:
        yield f"\n[{module}]"
        found = import_module(module)
        for name in sorted(found.__all__):
            yield from _shown(name, getattr(found, name))


def _shown(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, type) and issubclass(value, enum.Enum):
        yield f"{name}: {', '.join(f'{one.name}={one.value!r}' for one in value)}"
    elif isinstance(value, type):
        yield f"class {name}{signature(value)}"
        for member in sorted(members(value)):
            yield from (f"    {line}" for line in _member(member, inspect.getattr_static(value, member)))
    elif callable(value):
        yield f"{name}{signature(value)}"
    else:
        yield f"{name}: {type(value).__name__}"


def members(value: type) -> set[str]:
    """Return the public members that classes of ours define."""
    own = [one for one in value.__mro__ if one.__module__.startswith("synapse_otel")]
    names = {name for one in own for name in (*vars(one), *vars(one).get("__annotations__", {}))}
    annotated = {name for one in own for name in inspect.get_annotations(one)}
    return {name for name in names | annotated if not name.startswith("_") and hasattr(value, name)}


def _member(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, classmethod | staticmethod):
        yield f"{name}{signature(value.__func__)}"
    elif isinstance(value, FunctionType):
        yield f"{name}{signature(value)}"
    elif not isinstance(value, type):
        yield name


def signature(value: Any, *, bound: bool = False) -> str:
    """Return the signature of a class or function; of a ``bound`` method without its first parameter."""
    try:
        found = inspect.signature(value)
        if bound:
            found = found.replace(parameters=list(found.parameters.values())[1:])
        shown = str(found)
    except (TypeError, ValueError):  # of a class that is made in C
        return "(...)"
    return _MEMBER.sub(r"\1", _QUOTED.sub(r"\1\2", shown))


def _settings() -> Iterator[str]:
    yield "\n[settings]"
    for name in sorted(Settings.model_fields):
        yield f"{name}: {', '.join(variables_of(name))}"


def _commands() -> Iterator[str]:
    yield "\n[commands]"
    for name in sorted(commands.COMMANDS):
        yield f"synapse-otel {name}: {' '.join(sorted(commands.option_names(name)))}"


def _exit_codes() -> Iterator[str]:
    yield "\n[exit codes]"
    for name in sorted(EXIT_CODES):
        for number, meaning in sorted(EXIT_CODES[name].items()):
            yield f"synapse-otel {name}: {number} {meaning}".rstrip()


def _telemetry() -> Iterator[str]:
    yield "\n[metrics]"
    for metric in sorted({metric.name: metric for found in _METRICS for metric in found}.values()):
        yield f"{metric.name}: {metric.instrument} {metric.unit} {' '.join(sorted(metric.attributes))}".rstrip()
    yield "\n[attributes]"
    for one in sorted(semconv.ATTRIBUTES):
        yield f"{one.key}: {one.type}"
    yield "\n[events]"
    yield from sorted(one.name for one in semconv.EVENTS if not one.name.startswith("<"))
    yield "\n[telemetry schema]"
    yield f"version: {telemetry_schema.newest_version()}"


def _journal() -> Iterator[str]:
    yield f"\n[journal, format {FORMAT_VERSION}]"
    for kind in Kind:
        yield f"{kind.name}={kind.value}"
