"""What was exported, as plain data to read and compare: spans as a tree, times in ms on the fixed clock."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from synapse_otel.testing.fixed import START


def milliseconds(time: int) -> int:
    return round((time - START) / 1e6)


def plain(value: Any) -> Any:
    """Return a value without what differs between interpreters and places."""
    if isinstance(value, Mapping):
        return {key: _stack(item) if key == "exception.stacktrace" else plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return "<scenarios>" if isinstance(value, str) and value.endswith("scenarios.py") else value


def _stack(text: str) -> str:
    lines = text.strip().splitlines()
    return f"{lines[0]} ... {lines[-1]}"


def without_size(attributes: dict[str, Any]) -> dict[str, Any]:
    """The size and time of this tests' own source change with every edit."""
    if attributes.get("file.path") == "<scenarios>":
        assert attributes.pop("file.size") > 0
        assert attributes.pop("file.modified").endswith("Z")
    return attributes


def tree(spans: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put spans below their parents, in order of their ids, which is that of their begins."""
    by_id = {span["id"]: span for span in sorted(spans, key=lambda span: span["id"])}
    roots = []
    for span in by_id.values():
        parent = by_id.get(span.pop("parent"))
        (roots if parent is None else parent.setdefault("children", [])).append(span)
    return roots


def timeless(data: Any) -> Any:
    """Return a readout without its times: whoever looks at the clock more often sees more time pass."""
    if isinstance(data, Mapping):
        return {
            key: [event[1:] for event in timeless(value)] if key == "events" else timeless(value)
            for key, value in data.items()
            if key not in {"at", "from", "to"}
        }
    if isinstance(data, list):
        return [timeless(item) for item in data]
    return re.sub(r"after \d+\.\d+ s", "after a while", data) if isinstance(data, str) else data


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


def text(data: Any) -> str:
    """Return data as YAML, in its own order."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=140)
