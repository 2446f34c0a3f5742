"""A trace as text, without what differs from run to run: what the snapshots hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from synapse_otel import semconv
from synapse_otel.shipper.pipelines.open_spans import HOLD_SECONDS
from tools.docs.trace_tree import Row, is_of_the_machine, rows

_ID = re.compile(r"\b[0-9a-f]{16}\b")
_SECONDS = re.compile(r"\b\d+\.\d{3} s\b")
_PART = re.compile(r"\bpart \d\b")
_COUNTED = re.compile(r"^train-cats-\d+$")
"""The name of a run that has none: which of two that begin at once is the first is as it happens."""


def as_on_a_fast_machine(trace: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a trace without the markers of steps that took so long that they are rightly there."""
    spans = {span["spanID"]: span for span in trace["spans"]}
    return {**trace, "spans": [span for span in spans.values() if not _marks_a_long_step(span, spans)]}


def _marks_a_long_step(span: Mapping[str, Any], spans: Mapping[str, Mapping[str, Any]]) -> bool:
    marked = next((spans.get(each["spanID"]) for each in span["references"]), None)
    its = {tag["key"] for tag in span["tags"]}
    is_steps = semconv.SPAN_MARKER in its and semconv.ACTION not in its
    return is_steps and marked is not None and marked["duration"] >= HOLD_SECONDS * 1e6


def as_text(trace: Mapping[str, Any]) -> str:
    """Return a trace's spans from top to bottom, with tags, events, references and warnings."""
    found = rows(trace)
    return "\n".join(line for row in found for line in _lines(row, found[0].process))


def _lines(row: Row, first: str) -> Iterator[str]:
    indent = "    " * row.depth
    notes = [note for note, holds in _notes(row, first).items() if holds]
    yield f"{indent}{row.name} ({', '.join(notes)})" if notes else f"{indent}{row.name}"
    for key, value in sorted(row.tags.items()):
        if is_of_the_machine(key):
            continue
        yield f"{indent}  {key}={normal(value)!r}"
    for event in row.events:
        yield f"{indent}  * {event.name}"
        for key, value in sorted(event.fields.items()):
            yield f"{indent}      {key}={normal(value)!r}"
    for name in row.follows:
        yield f"{indent}  follows {name}"
    for warning in row.warnings:
        yield f"{indent}  warning: {normal(warning)}"


def _notes(row: Row, first: str) -> dict[str, bool]:
    return {
        "red": row.failed,
        "without length": row.duration == 0,
        "in another process": row.process != first,
        "its parent is not there": row.orphan,
    }


def normal(value: Any) -> Any:
    """Return a value without ids, durations, numbers of workers and runs, and the middle of a stack."""
    if not isinstance(value, str):
        return value
    lines = value.strip().splitlines()
    text = value if len(lines) < 2 else f"{lines[0]} ... {lines[-1]}"
    return _COUNTED.sub("train-cats-N", _PART.sub("part N", _SECONDS.sub("N s", _ID.sub("<id>", text))))
