"""The contents of one journal, gathered frame by frame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Self

from synapse_otel import semconv
from synapse_otel.journal import frames
from synapse_otel.journal.frames import SIGNAL_OF, Kind, Templates
from synapse_otel.journal.reader import Frame
from synapse_otel.redaction import redact_text, redact_values
from synapse_otel.runs.entries import Link, LogEntry, LogKind, Role, Series, Span, SpanEvent
from synapse_otel.semconv.signal import Signal

_ERROR: Final = 2
_TRACE_ID: Final = slice(0, 16)
_SPAN_ID: Final = slice(16, 24)
_KINDS: Final = {
    semconv.EVENT_MESSAGE: LogKind.MESSAGE,
    semconv.EVENT_DEVELOPER: LogKind.DEVELOPER,
    semconv.EVENT_EXCEPTION: LogKind.EXCEPTION,
    semconv.EVENT_JOB_STARTED: LogKind.LIFE,
    semconv.EVENT_JOB_FINISHED: LogKind.LIFE,
}


class Contents:
    """The content of one journal's frames, with credentials redacted from texts."""

    def __init__(self) -> None:
        self.journal = ""
        self.resource: dict[str, Any] = {}
        self.created = 0
        self.ended = False
        """Whether the process closed the journal properly."""
        self.last_time = 0
        self.spans: dict[str, Span] = {}
        self.logs: list[LogEntry] = []
        self.series: dict[tuple[str, str], Series] = {}
        self.foreign_metrics = 0
        """Collections of other instrumentations' metrics, which stay encoded."""
        self.emitted = [0] * len(Signal)
        self.missing = [0] * len(Signal)
        """By signal, records whose frames are evicted or damaged."""
        self.unreadable = 0
        """Frames of a newer version, or not what their kind promises."""
        self._scopes: dict[int, str] = {}
        self._templates = Templates()
        self._by_number: dict[int, Series] = {}

    def take_all(self, found: Iterable[Frame]) -> Self:
        """Add frames in their order, and return itself."""
        for frame in found:
            self.take(frame)
        return self

    def end_workers(self) -> bool:
        """End the open spans of a dead worker, and return whether there were any.

        Open spans are not a failure: pools kill idle workers.
        """
        left = [span for span in self.spans.values() if span.is_open and _is_worker(span)]
        for span in left:
            span.end = max(self.last_time, span.start)
        return bool(left)

    def take(self, frame: Frame) -> None:
        """Add a frame."""
        signal = SIGNAL_OF.get(frame.kind)
        if signal is not None:
            self._count(signal, frame.sequence)
            self.emitted[signal] += frame.count
        if frame.kind == Kind.OTLP_METRICS:
            self.foreign_metrics += 1
            return
        structure = frame.decode()
        match structure:
            case None:
                self.unreadable += 1
            case frames.Log():
                self._log(structure, frame.sequence)
            case frames.Template():
                self._templates.take(structure)
            case frames.Brief():
                log = self._templates.whole(structure)
                if log is not None:
                    self._log(log, frame.sequence)
                else:
                    self.unreadable += 1
            case frames.Samples():
                self._samples(structure)
            case frames.Span():
                self._span(structure, whole=frame.kind == Kind.SPAN)
            case _:
                self._define(structure)

    def _define(self, structure: object) -> None:
        match structure:
            case frames.Series():
                self._define_series(structure)
            case frames.Scope():
                self._scopes[structure.id] = structure.name
            case frames.Segment():
                self._segment(structure)
            case frames.End():
                self.ended = True
                self.last_time = max(self.last_time, structure.time)
                self._count_all(structure.sequences)

    def _segment(self, segment: frames.Segment) -> None:
        if not self.journal:
            self.journal = segment.journal
            self.created = segment.created
            self.resource = redact_values(segment.resource)
        self.last_time = max(self.last_time, segment.created)
        self._count_all(segment.sequences)

    def _count_all(self, sequences: list[int]) -> None:
        for signal, sequence in zip(Signal, sequences, strict=False):
            self._count(signal, sequence)

    def _count(self, signal: Signal, sequence: int) -> None:
        # A number that comes late, as a signal's handler wrote in between, makes up for the gap counted before.
        self.missing[signal] += sequence - self.emitted[signal]
        self.emitted[signal] = sequence

    # --- logs ---------------------------------------------------------------------------------------

    def _log(self, log: frames.Log, sequence: int) -> None:
        self.last_time = max(self.last_time, log.time)
        self.logs.append(
            LogEntry(
                time=log.time,
                kind=kind_of(log),
                severity=log.severity,
                event_name=redact_text(log.event_name or ""),
                body=redact_values(log.body),
                attributes=redact_values(log.attributes),
                trace_id=log.span[_TRACE_ID].hex(),
                span_id=log.span[_SPAN_ID].hex(),
                scope=self._scopes.get(log.scope, ""),
                uid=f"{self.journal}-{sequence:x}",
            )
        )

    # --- metrics ------------------------------------------------------------------------------------

    def _define_series(self, defined: frames.Series) -> None:
        key = (defined.name, repr(sorted(defined.attributes.items())))
        series = self.series.get(key)
        if series is None:
            series = self.series[key] = Series(
                name=defined.name,
                instrument=defined.instrument,
                unit=defined.unit,
                attributes=redact_values(defined.attributes),
            )
        self._by_number[defined.id] = series

    def _samples(self, samples: frames.Samples) -> None:
        self.last_time = max(self.last_time, samples.time)
        numbers = iter(samples.values)
        for number, value in zip(numbers, numbers, strict=False):
            series = self._by_number.get(int(number))
            if series is None:
                self.unreadable += 1
                continue
            series.times.append(samples.time)
            series.values.append(value)

    # --- spans --------------------------------------------------------------------------------------

    def _span(self, span: frames.Span, *, whole: bool) -> None:
        span_id = span.span_id.hex()
        known = self.spans.get(span_id)
        self.last_time = max(self.last_time, span.start, span.end)
        if known is not None and not whole:
            return  # every segment repeats the spans that are open
        self.spans[span_id] = Span(
            name=redact_text(span.name),
            role=_role(span.attributes),
            trace_id=span.trace_id.hex(),
            span_id=span_id,
            parent_id=span.parent_id.hex(),
            start=span.start,
            end=span.end if whole else None,
            attributes=redact_values(span.attributes),
            failed=span.status == _ERROR,
            status_message=redact_values(span.status_message),
            events=[
                SpanEvent(event.time, redact_text(event.name), redact_values(event.attributes)) for event in span.events
            ],
            links=[
                Link(link.trace_id.hex(), link.span_id.hex(), redact_values(link.attributes)) for link in span.links
            ],
            scope=self._scopes.get(span.scope, ""),
        )


def kind_of(log: frames.Log) -> LogKind:
    """Return the kind of a log record."""
    if log.attributes.get(semconv.AUDIENCE) == semconv.AUDIENCE_DEVELOPER:
        return LogKind.DEVELOPER
    if not log.event_name:
        return LogKind.LOGGING
    return _KINDS.get(log.event_name, LogKind.EVENT)


def _is_worker(span: Span) -> bool:
    return bool(span.attributes.get(semconv.STEP_PHASE) == semconv.PHASE_WORKER and span.role is not Role.MARKER)


def _role(attributes: dict[str, Any]) -> Role:
    if semconv.SPAN_MARKER in attributes:
        return Role.MARKER
    if semconv.ACTION in attributes:
        return Role.JOB
    if attributes.get(semconv.STEP_PHASE) == semconv.PHASE_ROLLBACK:
        return Role.ROLLBACK
    return Role.STEP if semconv.STEP_ORDER in attributes else Role.OTHER
