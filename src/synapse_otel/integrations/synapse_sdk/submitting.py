"""The SDK's executors of Ray: a span for each action that is handed on, and what its worker has to know of it.

Ray's workers do not get this process' environment. What they get is the ``runtime_env`` that an executor makes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from synapse_otel import semconv
from synapse_otel._version import __version__
from synapse_otel.integrations.synapse_sdk.carried import with_trace_context
from synapse_otel.integrations.synapse_sdk.containing import report
from synapse_otel.integrations.synapse_sdk.identity import Identity, identify
from synapse_otel.integrations.synapse_sdk.patches import Patches

_VARIABLES: Final = "env_vars"
_PARAMS: Final = "params"
_PIPELINE: Final = "pipeline"
INSTRUMENT_VARIABLE: Final = "SYNAPSE_OTEL_INSTRUMENT"
"""Has a Python process instrument the SDK when it starts."""


def instrument_actors(module: ModuleType, patches: Patches) -> None:
    """Follow actions into the actors of ``synapse_sdk.plugins.executors.ray.task``."""
    patches.replace(module.RayActorExecutor, "execute", _submitting(_carrying))


def instrument_jobs(module: ModuleType, patches: Patches) -> None:
    """Follow actions into the jobs of ``synapse_sdk.plugins.executors.ray.jobs_api``."""
    patches.replace(module.RayJobsApiExecutor, "submit", _submitting())
    patches.replace(module.RayJobsApiExecutor, "_build_jobs_api_runtime_env", _telling)


def instrument_actor_jobs(module: ModuleType, patches: Patches) -> None:
    """Follow actions into the actors of ``synapse_sdk.plugins.executors.ray.job``."""
    patches.replace(module.RayJobExecutor, "submit", _submitting())


def instrument_pipelines(module: ModuleType, patches: Patches) -> None:
    """Follow the actions of a pipeline into the actor of ``synapse_sdk.plugins.executors.ray.pipeline``."""
    patches.replace(module.RayPipelineExecutor, "submit", _submitting())


def instrument_runtime_env(module: ModuleType, patches: Patches) -> None:
    """Tell the actors of all executors of ``synapse_sdk.plugins.executors.ray.base`` what they have to know."""
    patches.replace(module.BaseRayExecutor, "_build_runtime_env", _telling)


def instrument_trials(module: ModuleType, patches: Patches) -> None:
    """Tell the trials of a search of ``synapse_sdk.plugins.actions.train.tune`` what they have to know."""
    patches.replace_function(module, "build_tune_runtime_env", _telling)


# --- the spans ---------------------------------------------------------------------------------------------------


def _submitting(prepare: Callable[[Any], Any] = lambda params: params) -> Callable[[Any], Any]:
    """Return what makes a method of an executor that hands an action on in a span; ``prepare``: its parameters."""

    def make(original: Any) -> Any:
        @functools.wraps(original)
        def submit(self: Any, *args: Any, **kwargs: Any) -> Any:
            span = _begin(self, args, kwargs)
            if span is None:
                return original(self, *args, **kwargs)
            with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                if len(args) > 1:
                    args = (args[0], prepare(args[1]), *args[2:])
                elif _PARAMS in kwargs:
                    kwargs = {**kwargs, _PARAMS: prepare(kwargs[_PARAMS])}
                try:
                    result = original(self, *args, **kwargs)
                except BaseException as error:
                    _end(span, error)
                    raise
            _end(span, None)
            return result

        return submit

    return make


def _begin(executor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Span | None:
    try:
        from synapse_otel.runtime.job import begin_process

        identity = _submitted(executor, args[0] if args else next(iter(kwargs.values()), ""), kwargs)
        begin_process(f"submit-{identity.plugin}", plugin=identity.plugin, version=identity.version)
        attributes = {semconv.STEP_PHASE: semconv.PHASE_SUBMIT, semconv.PLUGIN_NAME: identity.plugin}
        tracer = trace.get_tracer(semconv.SCOPE_NAME, __version__)
        name = f"{semconv.SUBMIT_PREFIX}{identity.action} {identity.plugin}"
        return tracer.start_span(name, kind=SpanKind.PRODUCER, attributes=attributes)
    except Exception as error:  # noqa: BLE001 - nothing of ours ever raises into the SDK
        report(error)
        return None


def _submitted(executor: Any, action: Any, kwargs: dict[str, Any]) -> Identity:
    """Return what is handed on: an action, or a pipeline of several."""
    folder = getattr(executor, "_working_dir", None)
    if isinstance(action, type | str):
        return identify(action, folder=folder)
    name = getattr(action, "name", None) or kwargs.get("name") or _PIPELINE
    return Identity(action=_PIPELINE, plugin=str(name), version=None, category=None)


def _end(span: Span, error: BaseException | None) -> None:
    try:
        if error is not None:
            span.set_status(Status(StatusCode.ERROR, str(error)))
            span.set_attribute(semconv.ERROR_TYPE, type(error).__qualname__)
            span.record_exception(error)
        span.end()
    except Exception as failure:  # noqa: BLE001 - as above
        report(failure)


def _carrying(params: Any) -> Any:
    try:
        return with_trace_context(params) if type(params) is dict else params
    except Exception as error:  # noqa: BLE001 - as above
        report(error)
        return params


# --- what the worker has to know -----------------------------------------------------------------------------------


def _telling(original: Any) -> Any:
    @functools.wraps(original)
    def build(*args: Any, **kwargs: Any) -> Any:
        runtime_env = original(*args, **kwargs)
        try:
            _tell(runtime_env)
        except Exception as error:  # noqa: BLE001 - as above: the worker then records nothing
            report(error)
        return runtime_env

    return build


def _tell(runtime_env: dict[str, Any]) -> None:
    """Add our variables; what the caller says himself holds, but for the trace context, which is that of this call."""
    from synapse_otel.runtime.child_environment import child_environment

    variables = dict(runtime_env.get(_VARIABLES) or {})
    told = {INSTRUMENT_VARIABLE: "true", **child_environment()}
    for name, value in told.items():
        if name.endswith(("TRACEPARENT", "TRACESTATE")):
            variables[name] = value
        else:
            variables.setdefault(name, value)
    runtime_env[_VARIABLES] = variables
