"""Run cases in one process of the SDK's Python: `run_case.py BATCH`, a file of JSON.

A batch says `mode`, `cases` and `out`, where the outcomes are written, one for each case: what was returned or raised,
and what went to standard output and error. A case says `action`, `params`, `env`, `folder`, and what its mode needs.
The process knows nothing of telemetry; whether it is instrumented, its environment or its command says.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Case = dict[str, Any]
PLUGIN = Path(__file__).parent / "plugin"


def _local(case: Case) -> Any:
    """As `run_plugin` does by default: in this process, told to the console."""
    from synapse_sdk.plugins.runner import run_plugin

    return run_plugin(str(PLUGIN), case["action"], case["params"], job_id=case["job"], language=case.get("language"))


def _direct(case: Case) -> Any:
    """A context with the platform's logger, and the action's dispatch: what an entrypoint does, in this process.

    Where the logger can send from a thread of its own, it is told not to: requests come in an order of their own.
    """
    from synapse_sdk.clients.backend import BackendClient
    from synapse_sdk.loggers import JobLogger
    from synapse_sdk.plugins.context import PluginEnvironment, RuntimeContext
    from synapse_sdk.plugins.discovery import PluginDiscovery

    action = PluginDiscovery.from_path(PLUGIN).get_action_class(case["action"])
    client = BackendClient(base_url=os.environ["SYNAPSE_HOST"], access_token=os.environ["SYNAPSE_ACCESS_TOKEN"])
    at_once = {"background_flush": False, "log_batch_size": 1, "progress_flush_interval": 0}
    known = inspect.signature(JobLogger.__init__).parameters
    options = {} if case.get("background") else {name: value for name, value in at_once.items() if name in known}
    logger = JobLogger(client=client, job_id=case["job"], **options)
    context = RuntimeContext(
        logger=logger,
        env=PluginEnvironment(dict(case["env"])),
        job_id=case["job"],
        client=client,
        checkpoint={"category": "base", "path": "model.bin"},
        language=case.get("language"),
    )
    try:
        return action.dispatch(case["params"], context)
    finally:
        logger.finish()
        for name in ("get_progress_record", "log_loss_report"):
            if hasattr(logger, name):
                print(name, json.dumps(getattr(logger, name)()))


def _after_finish(case: Case) -> Any:
    """Call a logger that has finished."""
    from synapse_sdk.loggers import ConsoleLogger
    from synapse_sdk.plugins.context import PluginEnvironment, RuntimeContext

    logger = ConsoleLogger()
    context = RuntimeContext(logger, PluginEnvironment({}), case["job"])
    context.log("before", {})
    logger.finish()
    context.log("after", {})


def _trial(case: Case) -> Any:
    """One trial of a search, as the SDK's step for trials makes it: no dispatch, no run, but execute."""
    from synapse_sdk.loggers import ConsoleLogger
    from synapse_sdk.plugins.context import PluginEnvironment, RuntimeContext
    from synapse_sdk.plugins.discovery import PluginDiscovery

    try:
        from synapse_sdk.plugins.actions.train.tune import TuneTrialLoggerWrapper
    except ImportError:  # up to 2026.1.50
        from synapse_sdk.plugins.actions.train.action import _TuneTrialLoggerWrapper as TuneTrialLoggerWrapper

    os.environ["IS_TUNE"] = "true"
    os.environ["SYNAPSE_TRIAL_ID"] = "trial_1"
    try:
        action = PluginDiscovery.from_path(PLUGIN).get_action_class("train")
        logger = TuneTrialLoggerWrapper(ConsoleLogger())
        context = RuntimeContext(logger=logger, env=PluginEnvironment.from_environ(), job_id=case["job"])
        return action(action.params_model(**case["params"]), context).execute(Path("dataset.yaml"), None)
    finally:
        del os.environ["IS_TUNE"], os.environ["SYNAPSE_TRIAL_ID"]


def _pipeline(case: Case) -> Any:
    """One action of a pipeline, as the SDK's actor for pipelines runs it: no dispatch, but run."""
    from synapse_sdk.clients.pipeline import PipelineServiceClient
    from synapse_sdk.loggers import ConsoleLogger
    from synapse_sdk.plugins.context import PluginEnvironment, RuntimeContext
    from synapse_sdk.plugins.discovery import PluginDiscovery
    from synapse_sdk.plugins.executors.ray.pipeline import _PipelineLogger

    action = PluginDiscovery.from_path(PLUGIN).get_action_class(case["action"])
    with PipelineServiceClient(os.environ["SYNAPSE_HOST"]) as client:
        logger = _PipelineLogger(ConsoleLogger(), client, case["job"], 0, action.__name__)
        context = RuntimeContext(logger=logger, env=PluginEnvironment({}), job_id=case["job"])
        return action(action.params_model(**case["params"]), context).run()


def _on_cluster(case: Case) -> dict[str, Any]:
    """Return what an executor of actors is told."""
    return {
        "job_id": case["job"],
        "ray_address": case["ray"]["address"],
        "working_dir": PLUGIN,
        "runtime_env": {"env_vars": case["tqdm"]},
    }


def _task(case: Case) -> Any:
    """A Ray actor; `times` calls of one actor, which the executor keeps."""
    from synapse_sdk.plugins.discovery import PluginDiscovery
    from synapse_sdk.plugins.executors.ray.task import RayActorExecutor

    executor = RayActorExecutor(**_on_cluster(case))
    entrypoint = PluginDiscovery.from_path(PLUGIN).get_action_entrypoint(case["action"])
    results = [executor.execute(entrypoint, case["params"]) for _ in range(case.get("times", 1))]
    if case.get("shutdown"):
        executor.shutdown()
    return results


def _task_killed(case: Case) -> Any:
    """A Ray actor that is killed by the driver when it has told its all."""
    import ray
    from synapse_sdk.plugins.executors.ray.task import RayActorExecutor

    marker = Path(case["folder"]) / "marker"
    executor = RayActorExecutor(**_on_cluster(case))
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(executor.execute, "sample_plugin.ending.EndlessAction", {"marker": str(marker)})
        while not marker.exists() and not call.done():
            time.sleep(0.05)
        ray.kill(executor._get_or_create_actor())
        return call.result()


def _task_submitted(case: Case) -> Any:
    """A Ray actor for one job, by the executor that was there before Ray's own jobs were used."""
    from synapse_sdk.plugins.discovery import PluginDiscovery
    from synapse_sdk.plugins.executors.ray.job import RayJobExecutor

    executor = RayJobExecutor(**_on_cluster(case))
    entrypoint = PluginDiscovery.from_path(PLUGIN).get_action_entrypoint(case["action"])
    submitted = executor.submit(entrypoint, case["params"])
    return {"status": executor.wait(submitted), "result": executor.get_result(submitted)}


def _job(case: Case) -> Any:
    """A Ray job, by `run_plugin`; what it wrote is taken from its log."""
    from synapse_sdk.plugins.executors.ray.jobs_api import RayJobsApiExecutor
    from synapse_sdk.plugins.runner import ExecutionMode, run_plugin

    submitted = run_plugin(
        str(PLUGIN),
        case["action"],
        case["params"],
        mode=ExecutionMode.JOB,
        job_id=case["job"],
        dashboard_address=case["ray"]["dashboard"],
        runtime_env={"env_vars": case["tqdm"]},
        language=case.get("language"),
    )
    executor = RayJobsApiExecutor(dashboard_address=case["ray"]["dashboard"])
    status = executor.wait(submitted, poll_interval=0.2)
    return {"submitted": submitted, "status": status, "log": executor.get_logs(submitted)}


def _search(case: Case) -> Any:
    """A search as the SDK makes it, whose trials are workers of Ray Tune's; a plugin is started in its own folder."""
    os.environ["RAY_ADDRESS"] = case["ray"]["address"]
    os.chdir(PLUGIN)
    return _local(case)


MODES: dict[str, Callable[[Case], Any]] = {
    "local": _local,
    "direct": _direct,
    "after_finish": _after_finish,
    "trial": _trial,
    "pipeline": _pipeline,
    "task": _task,
    "task_killed": _task_killed,
    "task_submitted": _task_submitted,
    "job": _job,
    "search": _search,
}


@contextmanager
def _captured(folder: Path) -> Iterator[None]:
    """Send standard output and error to files, whoever writes to their descriptors."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in (1, 2)]
    for number, name in ((1, "stdout"), (2, "stderr")):
        opened = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(opened, number)
        os.close(opened)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, descriptor in zip((1, 2), kept, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)


def _told(error: BaseException | None) -> dict[str, Any] | None:
    """Return an exception with its chain as plain data."""
    if error is None:
        return None
    return {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "text": str(error),
        "args": [repr(argument) for argument in error.args],
        "attributes": sorted(vars(error)),
        "notes": getattr(error, "__notes__", []),
        "cause": _told(error.__cause__),
        "context": _told(error.__context__) if error.__context__ is not error.__cause__ else "the cause",
        "suppressed": error.__suppress_context__,
    }


def _plain(result: Any) -> Any:
    """Return what an action returned as plain data that tells models from dicts."""
    if isinstance(result, list):
        return [_plain(item) for item in result]
    dump = getattr(result, "model_dump", None)
    return {"type": type(result).__qualname__, "value": dump(mode="json") if dump else result}


def run(case: Case) -> dict[str, Any]:
    """Run one case in a folder of its own and return its outcome."""
    folder = Path(case["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.update(case["env"])
    os.chdir(folder)
    outcome: dict[str, Any] = {"returned": None, "raised": None}
    started = time.monotonic()
    with _captured(folder):
        try:
            outcome["returned"] = _plain(MODES[case["mode"]](case))
        except BaseException as error:  # noqa: BLE001 - also sys.exit and the like are outcomes
            outcome["raised"] = _told(error)
    outcome["seconds"] = time.monotonic() - started
    for name in ("stdout", "stderr"):
        outcome[name] = (folder / name).read_text()
    if case["mode"].startswith("task"):
        outcome["workers"] = _worker_logs(case)
    return outcome


def _worker_logs(case: Case) -> dict[str, str]:
    """Return what the workers of this process wrote for this case: Ray keeps it in files, one each and output."""
    import ray

    job = ray.get_runtime_context().get_job_id()
    logs: dict[str, str] = {}
    for name in (".out", ".err"):
        for file in sorted(Path(case["ray"]["logs"]).glob(f"worker-*-{job}-*{name}")):
            if file not in _SEEN:
                _SEEN.add(file)
                logs[name] = logs.get(name, "") + file.read_text()
    return logs


_SEEN: set[Path] = set()


def main() -> None:
    """Run a batch."""
    sys.path.insert(0, str(PLUGIN))  # as it is where a plugin is started: it works in its own folder
    batch = json.loads(Path(sys.argv[1]).read_text())
    outcomes = {case["name"]: run(case) for case in batch["cases"]}
    Path(batch["out"]).write_text(json.dumps(outcomes, indent=1))


if __name__ == "__main__":
    main()
