"""A trace of Jaeger's query API in the order in which its web page shows it: each span before its children."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from synapse_otel import semconv


def is_of_the_machine(tag: str) -> bool:
    """Say whether a span's tag differs from run to run: where it ran, and what it used there."""
    return tag in _PLACES or tag.startswith(_USED)


_USED: Final = f"{semconv.PRODUCT_PREFIX}usage."
_PLACES: Final = frozenset({semconv.HOST_NAME, semconv.PROCESS_PID, semconv.WORKER_ID})


@dataclass(frozen=True, slots=True)
class Event:
    """What Jaeger calls a log of a span."""

    microseconds: int
    """Since the trace's begin."""
    name: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A span of a trace, times in microseconds since the trace's begin."""

    depth: int
    name: str
    begin: int
    duration: int
    process: str
    """``p1``, ``p2``... as in the answer."""
    tags: Mapping[str, Any]
    events: tuple[Event, ...]
    follows: tuple[str, ...]
    """Names of the spans that it is linked to."""
    warnings: tuple[str, ...]
    orphan: bool
    """It has a parent that is not in the trace."""

    @property
    def failed(self) -> bool:
        """Whether Jaeger shows it in red."""
        return self.tags.get("error") is True


def rows(trace: Mapping[str, Any]) -> list[Row]:
    """Return a trace's spans from top to bottom."""
    spans = {span["spanID"]: span for span in trace["spans"]}
    zero = min(span["startTime"] for span in spans.values())
    below: dict[str, list[Mapping[str, Any]]] = {}
    for span in sorted(spans.values(), key=_order):
        parent = _parent(span)
        below.setdefault(parent if parent in spans else "", []).append(span)

    def walk(parent: str, depth: int) -> Iterator[Row]:
        for span in below.get(parent, ()):
            yield _row(span, depth, zero, spans)
            yield from walk(span["spanID"], depth + 1)

    return list(walk("", 0))


def _order(span: Mapping[str, Any]) -> tuple[int, str]:
    return span["startTime"], span["operationName"]


def _parent(span: Mapping[str, Any]) -> str:
    return next((str(each["spanID"]) for each in span["references"] if each["refType"] == "CHILD_OF"), "")


def _row(span: Mapping[str, Any], depth: int, zero: int, spans: Mapping[str, Mapping[str, Any]]) -> Row:
    follows = [each["spanID"] for each in span["references"] if each["refType"] == "FOLLOWS_FROM"]
    return Row(
        depth=depth,
        name=span["operationName"],
        begin=span["startTime"] - zero,
        duration=span["duration"],
        process=span["processID"],
        tags={tag["key"]: tag["value"] for tag in span["tags"]},
        events=tuple(_event(log, zero) for log in span["logs"]),
        follows=tuple(spans[each]["operationName"] if each in spans else each for each in follows),
        warnings=tuple(span["warnings"] or ()),
        orphan=_parent(span) not in {"", *spans},
    )


def _event(log: Mapping[str, Any], zero: int) -> Event:
    fields = {field["key"]: field["value"] for field in log["fields"]}
    return Event(log["timestamp"] - zero, str(fields.pop("event", "")), fields)
