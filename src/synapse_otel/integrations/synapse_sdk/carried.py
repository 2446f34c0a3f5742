"""The trace context that travels with an action's parameters into an actor of Ray that lives longer than a call.

The environment of such an actor is that of its first call. The parameters are pickled in each call; the actor
unpickles the same dictionary, with the trace context next to its items. If synapse-otel is not installed there, it gets
only the dictionary: the function that unpacks it is pickled by value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR: Final = TraceContextTextMapPropagator()


class CarriedParams(dict[str, Any]):
    """Parameters that know which trace they belong to."""

    trace_context: Mapping[str, str]

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[dict[str, str], dict[str, Any]]]:
        """Travel as what unpacks itself."""
        return _unpacking(), (dict(self.trace_context), dict(self))


def with_trace_context(params: dict[str, Any]) -> CarriedParams:
    """Return parameters that take the current trace context along."""
    carried = CarriedParams(params)
    trace_context: dict[str, str] = {}
    _PROPAGATOR.inject(trace_context)
    carried.trace_context = trace_context
    return carried


def receive(trace_context: Mapping[str, str], params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as they have arrived."""
    carried = CarriedParams(params)
    carried.trace_context = trace_context
    return carried


def trace_context_of(params: Any) -> Context | None:
    """Return the trace context that parameters have brought along, None where they have not."""
    if not isinstance(params, CarriedParams) or not params.trace_context:
        return None
    return _PROPAGATOR.extract(params.trace_context)


def plain(params: Any) -> Any:
    """Return parameters as the plugin has to see them."""
    return dict(params) if isinstance(params, CarriedParams) else params


def _unpacking() -> Callable[[dict[str, str], dict[str, Any]], dict[str, Any]]:
    def unpack(trace_context: dict[str, str], params: dict[str, Any]) -> dict[str, Any]:
        try:
            from synapse_otel.integrations.synapse_sdk.carried import receive
        except ImportError:
            return params
        return receive(trace_context, params)

    return unpack
