"""What the shipper makes of a span that is open in a journal, and how one ends whose process was killed."""

from __future__ import annotations

import time
from collections.abc import Container, Iterable
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, Final

import msgspec

from synapse_otel import semconv
from synapse_otel.journal.folder import Exit
from synapse_otel.journal.frames import DECODERS, Kind, Log, Span, Template, whole
from synapse_otel.journal.liveness import cause_of_death
from synapse_otel.journal.reader import Chunk, JournalReader
from synapse_otel.semconv.event_budget import EventBudget
from synapse_otel.semconv.severity import Severity
from synapse_otel.shipper.pipelines.queue import Item

HOLD_SECONDS: Final = 5.0
"""For so long after a step's begin its start marker is held back."""
MOST_HELD: Final = 100
"""Beyond it the oldest one is sent early: the cursor keeps them all."""


@dataclass(frozen=True, slots=True)
class Death:
    """How a process ended that did not close its journal."""

    error_type: str
    """`oom_killed`, name of the signal, ``exit_`` and the status, or ``killed`` if the cause is unknown."""
    words: str

    @classmethod
    def of(cls, ended: Exit | None, *, oom_killed: bool = False) -> Death:
        """Return the known cause; the arguments are those of `cause_of_death`."""
        cause = cause_of_death(ended, oom_killed=oom_killed)
        if cause == semconv.ERROR_TYPE_OOM:
            return cls(cause, "the process was killed (out of memory)")
        if ended is None or not ended.error_type:
            return cls(cause, "the process was killed")
        if ended.signal:
            core = ", core dumped" if ended.core else ""
            return cls(cause, f"the process was killed by {ended.signal}{core}")
        return cls(cause, f"the process exited with status {ended.code} without ending its job")

    def told(self, start: int, end: int) -> str:
        """Return the message about the end of such a job; ``start`` and ``end`` are Unix times in ns."""
        return f"job ended: {self.words}, last seen after {(end - start) / 1e9:.3f} s"


def is_job(span: Span) -> bool:
    """Return whether a span is a job span."""
    return semconv.ACTION in span.attributes and not is_marker(span)


def is_step(span: Span) -> bool:
    """Return whether a span is a step span."""
    return semconv.STEP_ORDER in span.attributes and semconv.STEP_PHASE not in span.attributes and not is_marker(span)


def is_worker(span: Span) -> bool:
    """Return whether a span is a worker span."""
    return span.attributes.get(semconv.STEP_PHASE) == semconv.PHASE_WORKER


def is_marker(span: Span) -> bool:
    """Return whether a span is a start marker: of a job, a step or a worker."""
    return semconv.SPAN_MARKER in span.attributes


def is_held(span: Span) -> bool:
    """Return whether a span is a start marker that may turn out not to be needed: any but a job's."""
    return is_marker(span) and bool(span.parent_id) and semconv.ACTION not in span.attributes


class _Held(msgspec.Struct):
    """A start marker as the cursor keeps it."""

    step: bytes
    """Id of the span that it shows as begun."""
    start: int
    """Unix time in ns at which that span began."""
    scope: int
    record: bytes
    uid: str

    def item(self) -> Item:
        return Item(self.scope, self.record, 1, self.uid)


class HeldMarkers:
    """Start markers that are sent only if their steps are still open after so many ``seconds``."""

    def __init__(self, kept: Any = (), seconds: float = HOLD_SECONDS) -> None:
        """Begin with those that a cursor kept.

        Raises:
            msgspec.ValidationError: the cursor's content is damaged.
        """
        self._seconds = seconds
        self._held: dict[bytes, tuple[_Held, float]] = {}
        """By the id of the step's span, in the order in which they were read; with the monotonic time when it is due.
        """
        for one in msgspec.convert(kept, list[_Held]):
            self._add(one)

    def __len__(self) -> int:
        """Return how many are held."""
        return len(self._held)

    def _add(self, one: _Held) -> None:
        left = self._seconds - (time.time_ns() - one.start) / 1e9
        self._held[one.step] = one, time.monotonic() + min(left, self._seconds)

    def hold(self, marker: Span, item: Item) -> list[Item]:
        """Hold a marker back; return what is to be sent now, to make room."""
        self._add(_Held(marker.parent_id, marker.start, item.scope, item.record, item.uid))
        return [self._remove(next(iter(self._held)))] if len(self._held) > MOST_HELD else []

    def end(self, step: bytes) -> bool:
        """Forget the marker of a step that has ended, and return whether one was held."""
        return self._held.pop(step, None) is not None

    def due(self) -> list[Item]:
        """Remove and return those whose steps have been open for long enough."""
        if not self._held:
            return []
        now = time.monotonic()
        return [self._remove(step) for step, (_, due) in list(self._held.items()) if due <= now]

    def due_in_seconds(self) -> float:
        """Return after how long the next one is due."""
        held = list(self._held.values())  # at once: another thread may give the journal up
        return max(min((due for _, due in held), default=inf) - time.monotonic(), 0.0)

    def close(self, shown: Container[bytes]) -> list[Item]:
        """Remove all, and return those of the steps that are not ``shown`` otherwise."""
        items = [one.item() for step, (one, _) in self._held.items() if step not in shown]
        self._held.clear()
        return items

    def kept(self) -> list[_Held]:
        """Return what the cursor must keep."""
        return [one for one, _ in self._held.values()]

    def _remove(self, step: bytes) -> Item:
        return self._held.pop(step)[0].item()


class _Head(msgspec.Struct, array_like=True, gc=False):
    """The beginning of a `Brief`, which is all that is decoded of one that is not kept."""

    time: int
    template: int


_decode_brief: Final = DECODERS[Kind.BRIEF].decode
_decode_head: Final = msgspec.msgpack.Decoder(_Head).decode
_Found = tuple[bytes, Template] | Log
"""A log record as it was read: the payload of a brief one with its template."""


class LoggedEvents:
    """The span events that a killed process had not added to its open spans yet: they stand in its log records.

    A journal may hold millions of records of which a span keeps some dozens: only those are decoded whole.
    """

    def __init__(self, spans: Iterable[bytes]) -> None:
        """Begin with the ids of the open spans."""
        self._budgets: dict[bytes, EventBudget[_Found]] = {span_id: EventBudget() for span_id in spans}
        self._kinds: dict[int, tuple[EventBudget[_Found], Template, bool]] = {}
        """By the number of a template whose records are events of such a span: its budget, itself, and whether they
        are important."""

    def read(self, folder: Path) -> dict[bytes, tuple[list[Log], int]]:
        """Return, by the id of their span, the events that are kept, by time, and how many are not."""
        reader = JournalReader(folder)
        try:
            while (chunk := reader.read_chunk(ended=True)) is not None:
                self._take_all(chunk)
        finally:
            reader.close()
        return {span_id: (_decoded(budget.kept()), budget.dropped) for span_id, budget in self._budgets.items()}

    def _take_all(self, chunk: Chunk) -> None:
        kinds = self._kinds
        for kind, _count, _sequence, payload, _end in chunk.bare:
            try:
                if kind == _BRIEF:
                    known = kinds.get(_decode_head(payload).template)
                    if known is not None:
                        known[0].add((payload, known[1]), known[2])
                elif kind in _OF_EVENTS:
                    self._take(DECODERS[kind].decode(payload))
            except _UNREADABLE:
                continue

    def _take(self, structure: Template | Log) -> None:
        wanted = self._budget_of(structure)
        important = structure.severity >= Severity.WARN
        if isinstance(structure, Log):
            if wanted is not None:
                wanted.add(structure, important)
        elif wanted is None:
            self._kinds.pop(structure.id, None)
        else:
            self._kinds[structure.id] = wanted, structure, important

    def _budget_of(self, record: Template | Log) -> EventBudget[_Found] | None:
        """Return the budget that a record, or the records of a template, are for: developer events are for none."""
        if record.event_name is None or record.attributes.get(semconv.AUDIENCE) == semconv.AUDIENCE_DEVELOPER:
            return None
        return self._budgets.get(record.span[16:24])


_BRIEF: Final = int(Kind.BRIEF)
_OF_EVENTS: Final = frozenset({int(Kind.LOG), int(Kind.TEMPLATE)})
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def _decoded(found: Iterable[_Found]) -> list[Log]:
    logs = []
    for one in found:
        with suppress(*_UNREADABLE):
            logs.append(one if isinstance(one, Log) else whole(_decode_brief(one[0]), one[1]))
    return sorted(logs, key=lambda log: log.time)


def killed(span: Span, end: int, death: Death, *, at_work: bool = False) -> Span:
    """Return an open span, closed on behalf of a dead process.

    A worker span is not an error unless the worker was ``at_work``: pools kill idle workers.
    """
    result = semconv.JOB_RESULT if is_job(span) else semconv.STEP_RESULT
    ended = {} if is_worker(span) and not at_work else {semconv.ERROR_TYPE: death.error_type}
    if ended and (is_job(span) or is_worker(span) or semconv.STEP_NAME in span.attributes):
        ended[result] = semconv.RESULT_ERROR
    return Span(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        flags=span.flags,
        trace_state=span.trace_state,
        name=span.name,
        kind=span.kind,
        start=span.start,
        end=max(end, span.start + 1),
        attributes={**span.attributes, **ended},
        scope=span.scope,
        status=_ERROR if ended else _UNSET,
        status_message=death.words if ended else "",
        links=span.links,
    )


_UNSET = 0
_ERROR = 2
"""Codes of a span's status, as OTLP has them."""
