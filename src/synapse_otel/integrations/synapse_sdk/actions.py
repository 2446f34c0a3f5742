"""An action of the SDK that runs: a job."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from types import ModuleType, TracebackType
from typing import Any, Final

from synapse_otel.integrations.synapse_sdk.carried import plain, trace_context_of
from synapse_otel.integrations.synapse_sdk.containing import report
from synapse_otel.integrations.synapse_sdk.identity import identify, trial_of_this_process
from synapse_otel.integrations.synapse_sdk.patches import Patches
from synapse_otel.mapping.job import Job

_running: Final[ContextVar[Any]] = ContextVar("synapse_otel.sdk_context", default=None)
"""The SDK's context of the action that runs here."""
_ended: Final[list[dict[str, Any]]] = [{}]


def instrument_actions(module: ModuleType, patches: Patches) -> None:
    """Make a job of each action of ``synapse_sdk.plugins.action``."""
    patches.replace(module.BaseAction, "dispatch", _dispatching)
    patches.replace(module.BaseAction, "__init__", _initialising)


def instrument_deployments(module: ModuleType, patches: Patches) -> None:
    """Make a job of each request that an action of ``synapse_sdk.plugins.actions.inference.serve`` hands on."""
    patches.replace(module.BaseServeDeployment, "dispatch", _dispatching)


def ended_job_attributes() -> dict[str, Any]:
    """Return the attributes of the metrics of the job that ended last in this process."""
    return dict(_ended[0])


@contextmanager
def belonging_to_the_job(context: Any) -> Iterator[None]:
    """Have the actions that are run with a context belong to the job that runs, instead of each being one."""
    token = _running.set(context)
    try:
        yield
    finally:
        _running.reset(token)


class ActionJob:
    """A context manager: the job of an action. Whatever fails in it is held back; what the action raises goes through.

    An action that another one runs with its own context belongs to that one's job.
    """

    def __init__(self, action: type, params: Any, context: Any) -> None:
        self._action = action
        self._params = params
        self._context = context
        self._job: AbstractContextManager[Job] | None = None
        self._started: Job | None = None
        self._token: Any = None

    def __enter__(self) -> None:
        if _running.get() is self._context and self._context is not None:
            return
        self._token = _running.set(self._context)
        try:
            self._job = self._begin()
            self._started = self._job.__enter__()
        except Exception as error:  # noqa: BLE001 - nothing of ours ever raises into the SDK
            self._job = None
            report(error)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is None:
            return
        _running.reset(self._token)
        if self._job is None:
            return
        try:
            self._job.__exit__(kind, error, trace)
        except Exception as failure:  # noqa: BLE001 - as above; the action's own goes on by itself
            if failure is not error:
                report(failure)
        if self._started is not None:
            _ended[0] = dict(self._started.attributes)

    def _begin(self) -> AbstractContextManager[Job]:
        from synapse_otel.mapping.start_job import JobSpec
        from synapse_otel.runtime.job import running_job

        identity = identify(self._action, getattr(self._context, "env", None))
        job_id = getattr(self._context, "job_id", None)
        checkpoint = getattr(self._context, "checkpoint", None)
        spec = JobSpec(
            action=identity.action,
            plugin=identity.plugin,
            version=identity.version,
            job_id=str(job_id) if job_id else None,
            category=identity.category,
            checkpoint=checkpoint if isinstance(checkpoint, dict) else None,
            params=_as_mapping(self._params),
            trial=trial_of_this_process(),
        )
        return running_job(spec, parent=trace_context_of(self._params), is_told=False)


def _as_mapping(params: Any) -> dict[str, Any] | None:
    if isinstance(params, dict):
        return {str(key): value for key, value in params.items()}
    dump = getattr(params, "model_dump", None)
    return dump() if dump is not None else None


def _dispatching(original: Any) -> Any:
    function = original.__func__

    @functools.wraps(function)
    def dispatch(cls: type, params: Any, ctx: Any) -> Any:
        with ActionJob(cls, params, ctx):
            return function(cls, plain(params), ctx)

    return classmethod(dispatch)


# --- actions that are run without being dispatched: by pipelines, by trials of a search, by hand -------------------


def _initialising(original: Any) -> Any:
    @functools.wraps(original)
    def initialise(self: Any, params: Any, ctx: Any) -> None:
        original(self, params, ctx)
        if _running.get() is not ctx:
            _watch(self, params, ctx)

    return initialise


def _watch(action: Any, params: Any, context: Any) -> None:
    """Have the first call of an action's ``run`` or ``execute`` be a job; the action is as it was from then on."""

    def run_as_job(name: str) -> Any:
        @functools.wraps(getattr(type(action), name))
        def call(*args: Any, **kwargs: Any) -> Any:
            for watched in _ENTRANCES:
                vars(action).pop(watched, None)
            with ActionJob(type(action), params, context):
                return getattr(action, name)(*args, **kwargs)

        return call

    try:
        for name in _ENTRANCES:
            vars(action)[name] = run_as_job(name)
    except Exception as error:  # noqa: BLE001 - an action without a place for attributes, or without the methods
        report(error)


_ENTRANCES: Final = ("run", "execute")
