"""The worker span: the work of another process for the step, or the job, whose context it received.

It begins when the process receives the context. The end of the work is not visible, and a pool keeps idle processes: so
the span ends with its last record.
"""

from __future__ import annotations

from collections import deque
from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel_context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, get_current_span, set_span_in_context

from synapse_otel import semconv
from synapse_otel.mapping.job import WorkSpan
from synapse_otel.mapping.propagation.worker_identity import this_worker

if TYPE_CHECKING:
    from synapse_otel.mapping.job import Job


def begin_worker(job: Job, step: str | None, remote: SpanContext) -> WorkSpan:
    """Return the worker span of a process for a job, or for one of its steps; without a real span if it is sampled out.

    ``remote`` is the context of the step span, or the job span, in the process that runs it.
    """
    start = time_ns()
    above = NonRecordingSpan(remote)
    whole = f"{job.attributes.get(semconv.ACTION, '')} {job.attributes.get(semconv.PLUGIN_NAME, '')}".strip()
    worker = this_worker()
    name = semconv.WORKER_PREFIX + (step or whole) + (f": {worker.name}" if worker.name else "")
    attributes: dict[str, Any] = {
        semconv.STEP_PHASE: semconv.PHASE_WORKER,
        **job.log_attributes,
        semconv.WORKER_ID: worker.id,
        **worker.attributes,
    }
    if step is not None:
        attributes[semconv.STEP_NAME] = step
    span = job.start_span(name, set_span_in_context(above), attributes, start)
    if not span.is_recording():
        return WorkSpan(job, above, step, start)
    scope = WorkSpan(job, span, step, start)
    if job.live_spans == "steps":
        job.mark(scope, name, attributes)
    _make_current(span, remote)
    return scope


def end_worker(scope: WorkSpan) -> None:
    """End the span of a worker; a scope without one is left as it is."""
    span = scope.span
    if not scope.ended and span.is_recording():
        scope.ended = True
        scope.events.write(span)
        span.end(max(scope.last_time or time_ns(), scope.start + 1))


def _make_current(span: Span, remote: SpanContext) -> None:
    """Make spans of other instrumentations children of the worker span, unless a span of this process is current."""
    current = get_current_span().get_span_context()
    if not current.is_valid or current.span_id in {remote.span_id, *_MADE_CURRENT}:
        otel_context.attach(set_span_in_context(span))
        _MADE_CURRENT.append(span.get_span_context().span_id)


_MADE_CURRENT: Final[deque[int]] = deque(maxlen=64)
"""Ids of the worker spans that were made current here."""
