"""Jobs on a cluster of Ray with two nodes: `ray_jobs.py FOLDER`. Each is told of in one line of JSON.

The cluster is started without the job's variables, as somebody else's would be; the second node has its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import ray
import synapse_otel
from ray.cluster_utils import Cluster
from synapse_otel.integrations.ray import worker_attributes, working
from synapse_otel.loggers import NoOpLogger
from synapse_otel.plugins.steps import BaseStep, BaseStepContext, Orchestrator, StepRegistry, StepResult

FOLDER = Path(sys.argv[1])
JOBS_OWN = {name: value for name, value in os.environ.items() if name.startswith(("OTEL_", "SYNAPSE_"))}
HEALTH = {"initial_delay_ms": 0, "period_ms": 500, "failure_threshold": 6}
SMALL = {"include_dashboard": False, "object_store_memory": 80 << 20}
HERE = {"num_cpus": 0, "resources": {"here": 0.01}}
SECOND = {"num_cpus": 0, "resources": {"second": 0.1}}


def start_cluster():
    for variable in JOBS_OWN:
        del os.environ[variable]
    os.environ.update({f"RAY_health_check_{name}": str(value) for name, value in HEALTH.items()})
    # The driver is connected while there is no other node: they all have one address, and it would take any.
    cluster = Cluster(
        initialize_head=True, connect=True, head_node_args={"num_cpus": 2, "resources": {"here": 1}, **SMALL}
    )
    own = {"SYNAPSE_OTEL_JOURNAL_DIR": str(FOLDER / "second"), "SYNAPSE_OTEL_SHIPPER": "off"}
    second = cluster.add_node(num_cpus=0, resources={"second": 1}, object_store_memory=80 << 20, env_vars=own)
    os.environ.update(JOBS_OWN)
    return cluster, second


def wait_for(path):
    while not path.exists():
        time.sleep(0.01)


# --- what runs on the workers ---------------------------------------------------------------------------


@ray.remote
def shard(ctx, number):
    """Do the part of a whole."""
    for done in range(1, 6):
        ctx.set_progress(done, 5, "shards")
    ctx.log_message(f"shard {number}")
    return os.getpid(), sorted(name for name in os.environ if name.startswith(("OTEL_", "SYNAPSE_")))


@ray.remote
def of_step(context):
    context.set_progress(1, 1)
    context.log_message("of the step")


@ray.remote
def batches(ctx, count):
    """Yield as a map over batches does."""
    for number in range(1, count + 1):
        ctx.set_progress(number, count, "batches")
        yield number


@ray.remote
def dies_once(ctx, marker):
    ctx.set_progress(1, 5, "retried")
    ctx.log_message("begun")
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    ctx.set_progress(5, 5, "retried")


@ray.remote(max_retries=0)
def dies(ctx):
    ctx.log_message("last words")
    os.kill(os.getpid(), signal.SIGKILL)


@ray.remote
def fails(ctx):
    raise ValueError("no such image")


@ray.remote
def alone(ctx, name):
    ctx.set_progress(1, 2, "alone")
    ctx.log_message(f"alone {name}", "danger")
    return ctx.client is None, type(ctx.logger).__name__


@ray.remote
class Keeper:
    """Keeps the context that it was passed."""

    def __init__(self, ctx):
        self.ctx = ctx

    def work(self, number):
        self.ctx.log_message(f"call {number}")
        return worker_attributes()["ray.actor_id"]

    def terminate(self):
        os.kill(os.getpid(), signal.SIGTERM)


@ray.remote(max_concurrency=2)
class Threaded:
    def __init__(self, ctx):
        self.ctx = ctx
        self.both = threading.Barrier(2)

    def work(self, number):
        self.both.wait()
        self.ctx.set_progress(number, 2, "threads")
        self.ctx.log_message(f"thread {number}")


@ray.remote
class Async:
    def __init__(self, ctx):
        self.ctx = ctx
        self.here, self.both = 0, asyncio.Event()

    async def work(self, number):
        self.here += 1
        if self.here == 2:
            self.both.set()
        await self.both.wait()
        self.ctx.log_message(f"task {number}")


@ray.remote
class Reused:
    """Is passed a context with each call."""

    def work(self, ctx, what):
        ctx.log_message(what)


@ray.remote(max_restarts=-1, max_task_retries=-1)  # on a busy machine Ray needs more than one try
class Trainer:
    """One of a group that train together."""

    def __init__(self, ctx, rank):
        self.ctx, self.rank = ctx, rank

    def train(self, epochs, marker):
        with working(self.ctx):
            for epoch in range(1, epochs + 1):
                self.ctx.set_progress(epoch, epochs, "epochs")
                self.ctx.set_metrics({"loss": 1 / epoch}, f"rank {self.rank}")
                if self.rank == 1 and epoch == 2 and not marker.exists():
                    marker.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
        return self.rank


@ray.remote(max_retries=0)
def never_returns(ctx, begun):
    ctx.set_progress(1, 2, "lost")
    ctx.log_message("on the second node")
    begun.write_text(str(os.getpid()))
    threading.Event().wait()


# --- the jobs -------------------------------------------------------------------------------------------


def tasks(ctx):
    found = ray.get([shard.remote(ctx, number) for number in range(4)])
    return {"pids": sorted({pid for pid, _names in found}), "variables": found[0][1]}


def step_context(ctx, context):
    ray.get(of_step.remote(context))


def generator(ctx):
    return {"batches": [ray.get(one) for one in batches.options(num_returns="streaming").remote(ctx, 3)]}


def actors(ctx):
    keeper = Keeper.options(name="the keeper", **HERE).remote(ctx)
    threaded, asynchronous = Threaded.options(**HERE).remote(ctx), Async.options(**HERE).remote(ctx)
    ids = {ray.get(keeper.work.remote(number)) for number in (1, 2)}
    ray.get([threaded.work.remote(number) for number in (1, 2)])
    ray.get([asynchronous.work.remote(number) for number in (1, 2)])
    return {"actor": ids.pop()}


def killed_actor(ctx):
    keeper = Keeper.options(**HERE).remote(ctx)
    found = {"actor": ray.get(keeper.work.remote(1))}
    print(json.dumps({"name": "killed_actor_id", **found}), flush=True)
    ray.kill(keeper)
    ray.get(keeper.work.remote(2))


def terminated(ctx):
    keeper = Keeper.options(**HERE).remote(ctx)
    ray.get(keeper.work.remote(1))
    keeper.__ray_terminate__.remote()


def sigterm(ctx):
    keeper = Keeper.options(**HERE).remote(ctx)
    ray.get(keeper.work.remote(1))
    ray.get(keeper.terminate.remote())


def train(ctx):
    group = [Trainer.options(**HERE).remote(ctx, rank) for rank in range(2)]
    ray.get([trainer.train.remote(4, FOLDER / "trainer") for trainer in group])


def retried(ctx):
    ray.get(dies_once.remote(ctx, FOLDER / "once"))


def crashed(ctx):
    ray.get(dies.remote(ctx))


def failed(ctx):
    ray.get(fails.remote(ctx))


def unpicklable(ctx):
    class Client:
        lock = None

    ctx.client = Client()
    ctx.client.lock = threading.Lock()
    return {"worker": ray.get(alone.remote(ctx, "without a client"))}


def unwritable(ctx):
    nowhere = {"env_vars": {"SYNAPSE_OTEL_JOURNAL_DIR": "/proc/nowhere"}}
    return {"worker": ray.get(alone.options(runtime_env=nowhere).remote(ctx, "without a folder"))}


def badly_set(ctx):
    wrong = {"env_vars": {"SYNAPSE_OTEL_SHIPPER": "nobody"}}
    return {"worker": ray.get(alone.options(runtime_env=wrong).remote(ctx, "with a wrong setting"))}


def own_word(ctx):
    """The driver tells of the same category as its workers."""
    for number in range(2):
        ray.get(shard.remote(ctx, number))
        ctx.set_progress(number + 1, 2, "shards")


class Parts(BaseStep[BaseStepContext]):
    name = "parts"

    def __init__(self, work, told):
        self.work, self.told = work, told

    def execute(self, context):
        arguments = (context.runtime_ctx, context) if self.work is step_context else (context.runtime_ctx,)
        self.told.update(self.work(*arguments) or {})
        return StepResult()


def run(work, **more):
    """Run a job of one step, and tell of it."""
    told = {"name": work.__name__}
    with synapse_otel.job("train", plugin="ray", job_id=work.__name__, logger=NoOpLogger()) as ctx:
        registry = StepRegistry[BaseStepContext]()
        registry.register(Parts(work, told))
        try:
            Orchestrator(registry, BaseStepContext(ctx)).execute()
        except Exception as error:  # noqa: BLE001 - what becomes of it is told
            told["raised"] = [type(one).__name__ for one in (error, error.__cause__) if one is not None]
    print(json.dumps({**told, **more}), flush=True)


def reused():
    """One actor works for two jobs, one after the other."""
    actor = Reused.options(**HERE).remote()
    for name in ("reused_1", "reused_2"):
        with synapse_otel.job("train", plugin="ray", job_id=name, logger=NoOpLogger()) as ctx:
            for number in (1, 2):
                ray.get(actor.work.remote(ctx, f"{name} call {number}"))


def at_a_time():
    """One actor works for two jobs at a time."""
    actor = Reused.options(**HERE).remote()
    options = {"plugin": "ray", "logger": NoOpLogger()}
    with (
        synapse_otel.job("train", job_id="outer", **options) as outer,
        synapse_otel.job("train", job_id="inner", **options) as inner,
    ):
        for number in (1, 2):
            ray.get(actor.work.remote(outer, f"outer {number}"))
            ray.get(actor.work.remote(inner, f"inner {number}"))


def processes_of_the_second():
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended, or is another user's
            if f"SYNAPSE_OTEL_JOURNAL_DIR={FOLDER / 'second'}".encode() in environ.read_bytes().split(b"\0"):
                found.append(int(environ.parent.name))
    return found


def lost_node(second):
    def on_the_second(ctx):
        begun = FOLDER / "begun"
        reference = never_returns.options(**SECOND).remote(ctx, begun)
        wait_for(begun)
        second.kill_raylet()
        for process in processes_of_the_second():
            with suppress(ProcessLookupError):  # it has ended with its raylet
                os.kill(process, signal.SIGKILL)  # a machine that is gone takes its workers along
        ray.get(reference)

    run(on_the_second)


def main():
    cluster, second = start_cluster()
    try:
        for work in (tasks, step_context, generator, actors, train, retried, own_word, terminated):
            run(work)
        reused()
        at_a_time()
        for work in (killed_actor, sigterm, crashed, failed, unpicklable, unwritable, badly_set):
            run(work)
        lost_node(second)
    finally:
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main()
