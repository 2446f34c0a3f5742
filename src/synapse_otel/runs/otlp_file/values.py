"""Values in OTLP's JSON.

Every function may raise these errors for JSON that does not have the structure of OTLP: `TypeError`, `ValueError`,
`KeyError`, `AttributeError`.
"""

from __future__ import annotations

import math
from base64 import b64decode
from collections.abc import Callable
from typing import Any, Final

from synapse_otel import semconv
from synapse_otel.journal.frames import Link, Log, Span, SpanEvent

_DEEPEST: Final = 20
_EVENT_NAME: Final = "event.name"
"""Attribute in which a Collector puts the event name for backends without one."""
_NESTED: Final = frozenset({"arrayValue", "kvlistValue"})


def attributes(found: Any) -> dict[str, Any]:
    """Return attributes as Python has them."""
    return {str(one["key"]): any_value(one.get("value")) for one in as_list(found)}


def any_value(found: Any, depth: int = 0) -> Any:
    """Return a Python value; None for no value, and for one that is nested too deep."""
    if not isinstance(found, dict) or not found or depth > _DEEPEST:
        return None
    kind, value = next(iter(found.items()))
    read = _READ.get(kind)
    if read is not None:
        return read(value)
    values = as_list((value or {}).get("values")) if kind in _NESTED else []
    if kind == "arrayValue":
        return [any_value(one, depth + 1) for one in values]
    if kind == "kvlistValue":
        return {str(one["key"]): any_value(one.get("value"), depth + 1) for one in values}
    return value


def double(value: Any) -> float:
    """Return a number; JSON has non-finite ones as text: ``NaN``, ``Infinity``."""
    return float(value) if value is not None else math.nan


def as_list(value: Any) -> list[Any]:
    """Return a list; an empty one for anything else."""
    return value if isinstance(value, list) else []


def identifier(record: dict[str, Any], key: str, size: int) -> bytes:
    """Return the id of a trace or span, which is hexadecimal in OTLP's JSON; empty if there is none.

    Raises:
        ValueError: it is not an id.
    """
    found = bytes.fromhex(str(record.get(key) or ""))
    if len(found) not in {0, size}:
        raise ValueError(key)
    return found


def log_of(record: dict[str, Any], scope: int) -> tuple[Log, str]:
    """Return a log record, and its unique id; empty if it has no such attribute."""
    found = attributes(record.get("attributes"))
    uid = str(found.pop(semconv.LOG_RECORD_UID, ""))
    observed = int(record.get("observedTimeUnixNano") or 0)
    name = record.get("eventName") or found.pop(_EVENT_NAME, "")
    log = Log(
        time=int(record.get("timeUnixNano") or 0) or observed,
        severity=int(record.get("severityNumber") or 0),
        severity_text=str(record.get("severityText") or ""),
        event_name=str(name) or None,
        body=any_value(record.get("body")),
        attributes=found,
        span=identifier(record, "traceId", 16) + identifier(record, "spanId", 8) + b"\1",
        scope=scope,
        observed=observed,
    )
    return log, uid


def span_of(record: dict[str, Any], scope: int) -> Span:
    """Return a span."""
    status = record.get("status") or {}
    return Span(
        trace_id=identifier(record, "traceId", 16),
        span_id=identifier(record, "spanId", 8),
        parent_id=identifier(record, "parentSpanId", 8),
        flags=int(record.get("flags") or 0) & 0xFF,
        trace_state=str(record.get("traceState") or ""),
        name=str(record.get("name") or ""),
        kind=int(record.get("kind") or 1),
        start=int(record["startTimeUnixNano"]),
        end=int(record["endTimeUnixNano"]),
        attributes=attributes(record.get("attributes")),
        scope=scope,
        status=int(status.get("code") or 0),
        status_message=str(status.get("message") or ""),
        events=[_event(one) for one in as_list(record.get("events"))],
        links=[_link(one) for one in as_list(record.get("links"))],
    )


def _event(one: dict[str, Any]) -> SpanEvent:
    return SpanEvent(int(one.get("timeUnixNano") or 0), str(one.get("name")), attributes(one.get("attributes")))


def _link(one: dict[str, Any]) -> Link:
    return Link(identifier(one, "traceId", 16), identifier(one, "spanId", 8), "", attributes(one.get("attributes")))


_READ: Final[dict[str, Callable[[Any], Any]]] = {"intValue": int, "doubleValue": double, "bytesValue": b64decode}
