"""The pipeline of spans.

A step's start marker counts as delivered when it was read, and is held back: the span of a short step shows it better.
Only when it is to be sent after all, it is a record that waits, and its request tells what becomes of it.
"""

from __future__ import annotations

from typing import Any, Final

from synapse_otel import semconv
from synapse_otel.journal.cursor import EVICTED
from synapse_otel.journal.folder import read_slots
from synapse_otel.journal.frames import Log, Span, SpanEvent
from synapse_otel.journal.reader import Frame
from synapse_otel.journal.state_block import at_work
from synapse_otel.journal.usage import read_usage
from synapse_otel.otlp.encode.spans import span as encode_span
from synapse_otel.redaction import redact_text, redact_values
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.pipelines.base import SignalPipeline
from synapse_otel.shipper.pipelines.open_spans import (
    HOLD_SECONDS,
    Death,
    HeldMarkers,
    LoggedEvents,
    is_held,
    is_job,
    is_marker,
    is_worker,
    killed,
)
from synapse_otel.shipper.pipelines.queue import Batch, Item
from synapse_otel.shipper.usage.following import JournalUsage
from synapse_otel.shipper.usage.points import usage_attributes

_ALWAYS: Final = (1 << 63) - 1
_LATE_NS: Final = 1_000_000_000
"""The sample taken when a job's end was read also belongs to the job."""


class TracesPipeline(SignalPipeline):
    """Spans, sent as soon as they are read: they are few, and users wait to see them."""

    signal = Signal.TRACES
    hold_seconds = HOLD_SECONDS
    """How long a step must be open until its start marker is sent."""
    usage: JournalUsage | None = None
    """Resource usage of the journal's process, if it is sampled."""

    def take(self, frame: Frame, structure: Span) -> list[Item]:
        """Encode a span that has ended."""
        self.definitions.take(structure, frame.kind)
        if self.usage is not None and _has_used(structure):
            self.usage.refresh()
        item = self._item(structure, frame.count)
        if is_held(structure):
            self._batch.delivered += frame.count
            return self._after_all(self._markers.hold(structure, item))
        self._batch.withheld += self._markers.end(structure.span_id)
        return [item]

    def due(self, *, alive: bool) -> list[Item]:  # noqa: ARG002 - of a dead process, too: its end may be long in coming
        """Send the markers of steps that are still open, if all is read that could tell of their ends."""
        return self._after_all(self._markers.due()) if self._caught_up else []

    def due_in_seconds(self) -> float:
        """Return after how long the next marker is to be sent, should its step still be open."""
        return self._markers.due_in_seconds()

    def restore(self, state: dict[str, Any]) -> None:
        """Take up the markers that are held back."""
        self._markers = HeldMarkers(state.get("markers", ()), self.hold_seconds)

    def state(self) -> dict[str, Any]:
        """Return the markers that are held back."""
        return {"markers": self._markers.kept()} if self._markers else {}

    def give_up(self, sequence: int, *, killed: bool) -> None:
        """Count what is held back as evicted, too: its steps' spans do not arrive either."""
        self._batch.drop(EVICTED, len(self._after_all(self._markers.close(()))))
        super().give_up(sequence, killed=killed)

    def _after_all(self, markers: list[Item]) -> list[Item]:
        """Return markers that are not held back any more, no longer counted as delivered."""
        self._batch.delivered -= len(markers)
        return markers

    def _is_due(self, batch: Batch) -> bool:
        return bool(batch.items) or super()._is_due(batch)

    def _item(self, span: Span, count: int) -> Item:
        if _has_used(span):
            # A killed process was seen longer than its journal tells; of another the last sample was taken just now.
            until = span.end + _LATE_NS if count else _ALWAYS
            span.attributes |= usage_attributes(read_usage(self.folder), span.start, until)
        return Item(span.scope, encode_span(redacted(span)), count, span.span_id.hex())

    def closing(self, *, killed: bool) -> list[Item]:
        """End the spans that a killed process left open at the last thing that its journal knows.

        The markers that are held back are sent where no such span shows the step: one that a process left open when it
        closed its journal.
        """
        held = len(self._markers)
        markers = self._after_all(self._markers.close(self.definitions.open_spans if killed else ()))
        self._batch.withheld += held - len(markers)
        return markers + ([self._item(span, 0) for span in self._closed()] if killed else [])

    def _closed(self) -> list[Span]:
        end = self.definitions.time_of_death()
        death = self.definitions.death()
        busy = at_work(read_slots(self.folder))
        closed = {}
        for span in reversed(self.definitions.open_spans.values()):
            if is_marker(span):
                continue  # killed between its begin and its end
            job = self.definitions.job_of(span)
            works = job is not None and (job.key, span.attributes.get(semconv.STEP_NAME, "")) in busy
            closed[span.span_id] = killed(span, end, death, at_work=works)
        for span_id, (events, dropped) in LoggedEvents(closed).read(self.folder).items():
            span = closed[span_id]
            span.events = [_event(log) for log in events]
            if dropped:
                span.attributes[semconv.EVENTS_DROPPED] = dropped
        for one in closed.values():
            if is_job(one):
                one.events.append(_end_of(one, death))
            elif is_worker(one) and semconv.ERROR_TYPE in one.attributes:
                one.events.append(_end_of_worker(one, death))
        return list(closed.values())


def _has_used(span: Span) -> bool:
    """Return whether a span has resource usage: a job span or a worker span."""
    return is_job(span) or (is_worker(span) and not is_marker(span))


def _event(log: Log) -> SpanEvent:
    attributes: dict[str, Any] = {key: value for key, value in log.attributes.items() if key != semconv.JOB_ID}
    if log.body is not None:
        attributes[semconv.MESSAGE] = log.body
    return SpanEvent(log.time, log.event_name or "", attributes)


def _end_of(job: Span, death: Death) -> SpanEvent:
    """Return the event that a job has at its end, however it ended."""
    wanted = {semconv.ACTION, semconv.CATEGORY, semconv.ERROR_TYPE, semconv.JOB_RESULT, semconv.PLUGIN_NAME}
    attributes = {key: value for key, value in job.attributes.items() if key in wanted}
    attributes[semconv.MESSAGE] = death.told(job.start, job.end)
    return SpanEvent(job.end, semconv.EVENT_JOB_FINISHED, attributes)


def _end_of_worker(worker: Span, death: Death) -> SpanEvent:
    """Return the log record about a worker that was killed during its work."""
    message = f"{death.words} in the middle of a task"
    attributes = {key: worker.attributes[key] for key in (semconv.WORKER_ID, semconv.ERROR_TYPE)}
    return SpanEvent(worker.end, semconv.EVENT_WORKER_KILLED, {**attributes, semconv.MESSAGE: message})


def redacted(span: Span) -> Span:
    """Return a span with credentials redacted from its texts."""
    span.name = redact_text(span.name)
    span.attributes = redact_values(span.attributes)
    span.status_message = redact_values(span.status_message)
    for event in span.events:
        event.name = redact_text(event.name)
        event.attributes = redact_values(event.attributes)
    return span
