"""Short programs that are run in the SDK's Python: ``programs.py NAME``. What they print as JSON, tests look at."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from typing import Any

SDK_CLASSES = {
    "synapse_sdk.loggers": ("BaseLogger", "ConsoleLogger", "JobLogger", "NoOpLogger", "TqdmLogger", "BackendLogger"),
    "synapse_sdk.plugins.context": ("RuntimeContext",),
    "synapse_sdk.plugins.action": ("BaseAction",),
    "synapse_sdk.plugins.actions.inference.serve": ("BaseServeDeployment",),
    "synapse_sdk.plugins.steps.orchestrator": ("Orchestrator",),
    "synapse_sdk.plugins.executors.ray.base": ("BaseRayExecutor",),
    "synapse_sdk.plugins.executors.ray.task": ("RayActorExecutor",),
    "synapse_sdk.plugins.executors.ray.job": ("RayJobExecutor",),
    "synapse_sdk.plugins.executors.ray.jobs_api": ("RayJobsApiExecutor",),
    "synapse_sdk.plugins.executors.ray.pipeline": ("RayPipelineExecutor",),
    "synapse_sdk.clients.base": ("BaseClient",),
}


def _context(**given: Any) -> Any:
    from synapse_sdk.loggers import NoOpLogger
    from synapse_sdk.plugins.context import PluginEnvironment, RuntimeContext

    return RuntimeContext(logger=NoOpLogger(), env=PluginEnvironment({}), job_id="job-1", **given)


def _action() -> Any:
    from pydantic import BaseModel
    from synapse_sdk.plugins.action import BaseAction

    class Params(BaseModel):
        """None."""

    class Action(BaseAction[Params]):
        """Does what it is given."""

        work: Any = None

        def execute(self) -> Any:
            return type(self).work(self.ctx)

    return Action


def restored() -> None:
    """Instrument, put back, and compare every attribute of the SDK's classes by identity."""
    from importlib import import_module

    from synapse_otel.integrations.synapse_sdk import SynapseInstrumentor

    classes = [getattr(import_module(module), name) for module, names in SDK_CLASSES.items() for name in names]
    before = [dict(vars(each)) for each in classes]
    SynapseInstrumentor().instrument()
    changed = sum(
        known.get(name) is not value
        for each, known in zip(classes, before, strict=True)
        for name, value in vars(each).items()
    )
    SynapseInstrumentor().uninstrument()
    after = [dict(vars(each)) for each in classes]
    same = all(
        known.keys() == found.keys() and all(found[name] is value for name, value in known.items())
        for known, found in zip(before, after, strict=True)
    )
    print(json.dumps({"changed": changed, "same": same}))


def nothing_imported() -> None:
    """Instrument, and say what of the SDK has been imported for it."""
    from synapse_otel.integrations.synapse_sdk import SynapseInstrumentor

    SynapseInstrumentor().instrument()
    print(json.dumps([name for name in sys.modules if name.partition(".")[0] == "synapse_sdk"]))


def hooks_missing() -> None:
    """Run an action on an SDK that has lost some of what is followed."""
    import synapse_sdk.loggers

    del synapse_sdk.loggers.BaseLogger.set_progress_failed
    from synapse_otel.integrations.synapse_sdk import SynapseInstrumentor

    SynapseInstrumentor().instrument()
    action = _action()
    action.work = lambda ctx: ctx.log("still recorded", {})
    action.dispatch({}, _context())
    action.dispatch({}, _context())


def fails_inside() -> None:
    """Run an action while everything of ours that is called fails."""
    from synapse_otel.integrations.synapse_sdk import SynapseInstrumentor
    from synapse_otel.mapping.job import WorkSpan

    SynapseInstrumentor().instrument()

    def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("ours")

    def work(ctx: Any) -> str:
        for name in ("event", "message", "progress", "metrics"):
            setattr(WorkSpan, name, fail)
        ctx.log("event", {})
        ctx.log_message("message")
        ctx.set_progress(1, 2)
        ctx.set_metrics({"loss": 1}, "train")
        ctx.logger.log_event("event", {})
        return "returned"

    action = _action()
    action.work = work
    print(json.dumps(action.dispatch({}, _context())))


def _in_worker(ctx: Any) -> None:
    ctx.log("in the worker", {})
    ctx.set_progress(1, 1, "worker")


def pickled() -> None:
    """Hand the SDK's context to a process that is started anew."""

    def work(ctx: Any) -> None:
        process = multiprocessing.get_context("spawn").Process(target=_in_worker, args=(ctx,))
        process.start()
        process.join()

    action = _action()
    action.work = work
    action.dispatch({}, _context(client=object()))


def own_logger() -> None:
    """A logger of the plugin's own, which goes past the methods of the SDK's, and one that calls them twice."""
    from synapse_sdk.loggers import BaseLogger, NoOpLogger
    from synapse_sdk.plugins.context import PluginEnvironment, RuntimeContext

    class Own(NoOpLogger):
        """Keeps all to itself."""

        def log(self, level: Any, event: str, data: Any, file: Any = None, step: Any = None) -> None:
            """Call the SDK's only for what is odd."""
            if event == "through":
                super().log(level, event, data, file, step)

    assert issubclass(Own, BaseLogger)
    action = _action()

    def work(ctx: Any) -> None:
        ctx.log("past", {"a": 1})
        ctx.log("through", {"a": 2})

    action.work = work
    action.dispatch({}, RuntimeContext(logger=Own(), env=PluginEnvironment({}), job_id="job-1"))


def asks_the_platform() -> None:
    """Ask by the SDK's own client, in an action."""
    from synapse_sdk.clients.base import BaseClient

    action = _action()
    action.work = lambda _ctx: BaseClient(os.environ["PLATFORM"])._request("get", "anything")
    action.dispatch({}, _context())


def without_ray() -> None:
    """Run an action where there is no Ray."""
    sys.modules["ray"] = None  # type: ignore[assignment] # an import of it fails
    from synapse_sdk.plugins.executors.ray.task import RayActorExecutor

    action = _action()
    action.work = lambda ctx: ctx.log("told", {})
    action.dispatch({}, _context())
    try:
        RayActorExecutor(env={}).execute("plugin.Action", {})
    except ImportError as error:
        print(json.dumps(error.name))


if __name__ == "__main__":
    globals()[sys.argv[1]]()
