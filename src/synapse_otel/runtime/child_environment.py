"""What a process is told by its environment that is started from a job: trace context, settings, and the job."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from synapse_otel.mapping.current import current_or_none
from synapse_otel.mapping.job import CURRENT
from synapse_otel.mapping.propagation.inherited_job import as_text
from synapse_otel.mapping.propagation.remote_job import hand_over, job_to_hand_over
from synapse_otel.runtime.state import STATE

if TYPE_CHECKING:
    from synapse_otel.mapping.job import WorkSpan
    from synapse_otel.plugins.context import RuntimeContext
    from synapse_otel.plugins.steps import BaseStepContext

_PREFIX: Final = "SYNAPSE_OTEL_"
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Z0-9_]")
_TRACE: Final = ("TRACEPARENT", "TRACESTATE")


def child_environment(ctx: RuntimeContext | BaseStepContext | None = None, *, headers: bool = False) -> dict[str, str]:
    """Return variables for the environment of a process that is started from here, to be added to those it gets anyway.

    They hold the trace context (``TRACEPARENT``, ``TRACESTATE`` and whatever else the propagators say that
    OpenTelemetry is set to, as its specification has it for environments; ``SYNAPSE_OTEL_TRACEPARENT`` too, for
    launchers that pass only what begins with ``SYNAPSE_``), all settings that hold here and are not defaults, and the
    job. `job` begins a child of the job there; a `RuntimeContext` that is used outside of any records in the same job.

    Args:
        ctx: whose job it is, and whose step; the current one if none is given. Where there is none, what this process
            was started with is passed on.
        headers: also pass the headers of requests. Every program with that environment can read these credentials.
            Where they are set by variables, a subprocess has them anyway.

    Raises:
        TypeError: ``ctx`` is no context.
        SettingsError: a setting is wrong.
    """
    from synapse_otel.settings import as_variables, load_settings

    scope = _scope(ctx)
    settings = STATE.runtime.settings if STATE.runtime is not None else load_settings()
    variables = as_variables(settings, headers=headers)
    context = _context(scope)
    if context is not None:
        variables.update(_trace_context(context))
    else:
        given = (settings.traceparent, settings.tracestate)
        variables.update({name: value for name, value in zip(_TRACE, given, strict=True) if value})
    for name in _TRACE:
        if name in variables or os.environ.get(name) or os.environ.get(_PREFIX + name):
            variables[name] = variables[_PREFIX + name] = variables.get(name, "")
    handed = as_text(hand_over(scope)) if scope is not None else settings.job
    if handed is not None:
        variables[f"{_PREFIX}JOB"] = handed
    return variables


def _scope(ctx: Any) -> WorkSpan | None:
    """Return the step, or the job, that the other process is to work for."""
    from synapse_otel.plugins.context import RuntimeContext

    if ctx is None:
        found = current_or_none()
        return found if found is not None and not found.job.is_detached else None
    runtime = getattr(ctx, "runtime_ctx", ctx)
    if not isinstance(runtime, RuntimeContext):
        msg = f"ctx must be a RuntimeContext or the context of a step, not {ctx!r}"
        raise TypeError(msg)
    job = job_to_hand_over(runtime._job, runtime.job_id)  # noqa: SLF001 - the seam between the context and its job
    if job is None:
        return None
    current = CURRENT.get()
    return current if current is not None and current.job is job else job.current


def _context(scope: WorkSpan | None) -> Context | None:
    """Return the context of the current span, where it is one of the step; else of the step's own; None if neither."""
    here = get_current_span().get_span_context()
    if scope is None or (here.is_valid and CURRENT.get() is scope):
        return set_span_in_context(get_current_span()) if here.is_valid else None
    return set_span_in_context(scope.span) if scope.span.get_span_context().is_valid else None


def _trace_context(context: Context) -> dict[str, str]:
    from opentelemetry import propagate

    carrier: dict[str, str] = {}
    propagate.inject(carrier, context)
    TraceContextTextMapPropagator().inject(carrier, context)  # what is read here, whatever the others are set to
    return {_NOT_IN_A_NAME.sub("_", key.upper()): value for key, value in carrier.items()}
