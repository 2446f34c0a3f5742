"""What the shipper makes of a span that is open in a journal, and how one ends whose process was killed."""

from __future__ import annotations

from dataclasses import dataclass

from synapse_otel import semconv
from synapse_otel.journal.folder import Exit
from synapse_otel.journal.frames import Span
from synapse_otel.journal.liveness import cause_of_death


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
    return semconv.ACTION in span.attributes and semconv.SPAN_MARKER not in span.attributes


def is_step(span: Span) -> bool:
    """Return whether a span is a step span."""
    return (
        semconv.STEP_ORDER in span.attributes
        and semconv.STEP_PHASE not in span.attributes
        and semconv.SPAN_MARKER not in span.attributes
    )


def is_worker(span: Span) -> bool:
    """Return whether a span is a worker span."""
    return span.attributes.get(semconv.STEP_PHASE) == semconv.PHASE_WORKER


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
