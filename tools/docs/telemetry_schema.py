"""The telemetry schema: how names have changed between releases, in OpenTelemetry's format, and what follows from it.

``docs/schemas/telemetry.yaml`` has the changes; ``docs/schemas/names/VERSION.txt`` the names of each release, as
docs/interface.txt had them. Together they show that old names lead to today's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from synapse_otel._version import __version__
from tools.docs.blocks import ROOT

FILE: Final = ROOT / "docs" / "schemas" / "telemetry.yaml"
NAMES: Final = ROOT / "docs" / "schemas" / "names"
SECTIONS: Final = ("all", "resources", "spans", "span_events", "metrics", "logs")
"""Of a version, in the order in which they are applied."""
_LISTS: Final = ("metrics", "attributes", "events")
_FORMAT_LINE: Final = "file_format: 1.1.0\n"

Changes = Mapping[str, Any]
"""The document of a schema file."""


@dataclass(frozen=True)
class Metric:
    """A metric as docs/interface.txt lists it."""

    instrument: str
    unit: str
    attributes: frozenset[str]


@dataclass(frozen=True)
class Names:
    """The names of a release."""

    metrics: dict[str, Metric] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    """Types by name."""
    events: frozenset[str] = frozenset()

    @classmethod
    def of(cls, interface: str) -> Names:
        """Return the names in a text like docs/interface.txt."""
        lists = dict(_lists(interface))
        metrics = {}
        for line in lists["metrics"]:
            name, _, rest = line.partition(": ")
            instrument, unit, *attributes = rest.split(" ")  # two blanks where there is no unit
            metrics[name] = Metric(instrument, unit, frozenset(attributes))
        types = dict(line.split(": ") for line in lists["attributes"])
        return cls(metrics, types, frozenset(lists["events"]))


def names_of(interface: str) -> str:
    """Return the lists of names out of docs/interface.txt, as they are kept for each release."""
    return "\n\n".join("\n".join((f"[{name}]", *lines)) for name, lines in _lists(interface)) + "\n"


def names_file() -> Path:
    """Return the file of this release's names."""
    return NAMES / f"{version_line(__version__)}.txt"


def version_line(version: str) -> str:
    """Return a package's version without its patch number: a patch changes no name."""
    major, minor = version.split(".")[:2]
    return f"{major}.{minor}.0"


def load(text: str) -> Changes:
    """Return the document of a schema file; versions and the format are texts, as in its JSON."""
    found: Changes = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes texts of everything
    return found


def versions(schema: Changes) -> list[str]:
    """Return the versions of a schema file, oldest first."""
    return sorted(schema["versions"], key=_ordered)


def newest_version() -> str:
    """Return the version of the schema in the tree."""
    return versions(load(FILE.read_text(encoding="utf-8")))[-1]


def published(base: str) -> str:
    """Return the file as it is to be published below an address, which becomes its ``schema_url``.

    Raises:
        ValueError: nobody could fetch the file from there.
    """
    parts = urlsplit(base)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{base}: must be like https://SERVER/PATH")
    url = f"{base.rstrip('/')}/{newest_version()}"
    _head, line, rest = FILE.read_text(encoding="utf-8").partition(_FORMAT_LINE)
    return f"{line}schema_url: {url}\n{rest}"


def converted(names: Names, schema: Changes, since: str) -> Names:
    """Return the names that those of a version have today, by the changes of all later versions."""
    for version in versions(schema):
        if _ordered(version) > _ordered(since):
            names = _applied(names, schema["versions"][version] or {})
    return names


def missing(expected: Names, found: Names) -> list[str]:
    """Return what is expected and not found, or found with another unit, type or instrument."""
    return [*_missing_metrics(expected, found), *_missing_attributes(expected, found)] + [
        f"event {name}: is gone" for name in sorted(expected.events - found.events)
    ]


def _missing_metrics(expected: Names, found: Names) -> Iterator[str]:
    for name, was in sorted(expected.metrics.items()):
        now = found.metrics.get(name)
        if now is None:
            yield f"metric {name}: is gone"
        elif (was.instrument, was.unit) != (now.instrument, now.unit):
            yield f"metric {name}: was {was.instrument} {was.unit}, is {now.instrument} {now.unit}"
        elif lost := was.attributes - now.attributes:
            yield f"metric {name}: lacks {', '.join(sorted(lost))}"


def _missing_attributes(expected: Names, found: Names) -> Iterator[str]:
    for name, was in sorted(expected.attributes.items()):
        now = found.attributes.get(name)
        if now is None:
            yield f"attribute {name}: is gone"
        elif was != now:
            yield f"attribute {name}: was {was}, is {now}"


def _applied(names: Names, version: Mapping[str, Any]) -> Names:
    for section in SECTIONS:
        for change in (version.get(section) or {}).get("changes") or ():
            ((kind, what),) = change.items()
            names = _changed(names, section, kind, what)
    return names


def _changed(names: Names, section: str, kind: str, what: Mapping[str, Any]) -> Names:
    if kind == "rename_attributes":
        return _with_attributes(names, section, what["attribute_map"], what.get("apply_to_metrics"))
    if kind == "rename_metrics":
        return replace(names, metrics={what.get(name, name): metric for name, metric in names.metrics.items()})
    if kind == "rename_events":
        renamed = what["name_map"]
        return replace(names, events=frozenset(renamed.get(name, name) for name in names.events))
    if kind == "split":
        return _split(names, what)
    raise ValueError(f"{section}: {kind} is no change of format 1.1.0")


def _with_attributes(names: Names, section: str, renamed: Mapping[str, str], of: list[str] | None) -> Names:
    """Return the names with other ones of attributes; a list of attributes does not tell which signal has which."""
    attributes = {renamed.get(name, name): kind for name, kind in names.attributes.items()}
    metrics = {
        name: replace(metric, attributes=frozenset(renamed.get(one, one) for one in metric.attributes))
        if section == "all" or (section == "metrics" and (not of or name in of))
        else metric
        for name, metric in names.metrics.items()
    }
    return replace(names, attributes=attributes, metrics=metrics)


def _split(names: Names, what: Mapping[str, Any]) -> Names:
    metrics = dict(names.metrics)
    was = metrics.pop(what["apply_to_metric"], None)
    if was is not None:
        part = replace(was, attributes=was.attributes - {what["by_attribute"]})
        metrics |= dict.fromkeys(what["metrics_from_attributes"], part)
    return replace(names, metrics=metrics)


def _lists(interface: str) -> Iterator[tuple[str, list[str]]]:
    for block in interface.split("\n\n"):
        head, *lines = block.strip().splitlines()
        if head.strip("[]") in _LISTS:
            yield head.strip("[]"), lines


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
