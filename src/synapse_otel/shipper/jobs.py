"""What the shipper knows of jobs: their spans as they open and close in a journal."""

from __future__ import annotations

from typing import Any, Final

from synapse_otel.journal.frames import Span
from synapse_otel.signals import semconv

_JOB_KEYS: Final = (semconv.JOB_ID, semconv.ACTION, semconv.PLUGIN_NAME)


class OpenSpans:
    """The spans that have begun and not ended, by span id, in the order in which they began."""

    def __init__(self) -> None:
        self._open: dict[bytes, Span] = {}

    def take(self, span: Span, *, whole: bool) -> None:
        """Take up a span that has begun, or take away one that has ended."""
        if whole:
            self._open.pop(span.span_id, None)
        else:
            self._open[span.span_id] = span

    def all(self) -> list[Span]:
        """Return the open spans."""
        return list(self._open.values())

    def jobs(self) -> list[Span]:
        """Return the open spans of jobs."""
        return [span for span in self._open.values() if is_job(span)]

    def steps(self) -> list[Span]:
        """Return the open spans of steps, rollbacks not among them."""
        return [span for span in self._open.values() if is_step(span)]

    def job_of(self, span: Span) -> Span | None:
        """Return the open job whose trace a span is in."""
        return next((job for job in self.jobs() if job.trace_id == span.trace_id), None)


def is_job(span: Span) -> bool:
    """Say whether a span is a job's own."""
    return semconv.ACTION in span.attributes and semconv.SPAN_MARKER not in span.attributes


def is_step(span: Span) -> bool:
    """Say whether a span is a step's."""
    return (
        semconv.STEP_ORDER in span.attributes
        and semconv.STEP_PHASE not in span.attributes
        and semconv.SPAN_MARKER not in span.attributes
    )


def job_attributes(span: Span) -> dict[str, Any]:
    """Return the attributes of a job's metrics, from its span."""
    return {key: span.attributes[key] for key in _JOB_KEYS if key in span.attributes}


def killed(span: Span, end: int) -> Span:
    """Return an open span as it is closed for a process that was killed."""
    result = semconv.JOB_RESULT if is_job(span) else semconv.STEP_RESULT
    ended = {semconv.ERROR_TYPE: semconv.ERROR_TYPE_KILLED}
    if is_job(span) or semconv.STEP_NAME in span.attributes:
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
        end=max(end, span.start),
        attributes={**span.attributes, **ended},
        scope=span.scope,
        status=2,
        status_message="the process was killed",
        links=span.links,
    )
