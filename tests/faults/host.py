"""What hosts do with jobs and contexts, each as a program of its own: ``python host.py NAME [ARGUMENT...]``."""

from __future__ import annotations

import copy
import logging
import multiprocessing
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import synapse_otel
from synapse_otel.loggers import NoOpLogger
from synapse_otel.plugins.steps import BaseStep, BaseStepContext, Orchestrator, StepRegistry, StepResult


class Unpicklable:
    """A client with a connection."""

    def __init__(self):
        self.lock = threading.Lock()


def begin(job_id="job-1", **arguments):
    return synapse_otel.job("train", plugin="demo", job_id=job_id, **{"logger": NoOpLogger(), **arguments})


# --- one process -------------------------------------------------------------------------------------------


def late(logger="ours"):
    """Record after the job's end, and in a thread that goes on."""
    with begin(logger=None if logger == "console" else NoOpLogger()) as ctx:
        ctx.log_message("in time")
    ctx.log_message("too late")
    ctx.log("late event", {"number": 1})
    ctx.set_progress(1, 2, "late")
    ctx.set_metrics({"late": 1.5}, "late")
    thread = threading.Thread(target=ctx.log_message, args=("too late in a thread",))
    thread.start()
    thread.join()
    ctx.end_log()
    with begin("job-2") as other:
        ctx.log_message("of the first in the second")
        other.log_message("of the second")
    print("left", flush=True)


def nested():
    with begin("outer") as outer:
        outer.set_progress(1, 4, "work")
        with begin("inner") as inner:
            inner.set_progress(2, 4, "work")
            outer.log_message("of the outer, inside")
            inner.log_message("of the inner")
            logging.getLogger("plugin").warning("logged inside")
        outer.log_message("of the outer, after")
        logging.getLogger("plugin").warning("logged after")


def nested_waiting(handler="none"):
    if handler == "ignores":
        signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"handler\n"))  # print may be interrupted in itself
    with begin("outer"), begin("inner") as inner:
        inner.log_message("waits")
        print("ready", flush=True)
        # Python runs no handler for a signal that comes just before it reads: so it looks again, and again.
        while not select.select([sys.stdin], [], [], 0.05)[0]:
            pass
        sys.stdin.read()


def at_once(count="8"):
    """Jobs in threads at the same time."""
    barrier = threading.Barrier(int(count))

    def work(number):
        with begin(f"job-{number}") as ctx:
            barrier.wait()
            for done in range(1, 51):
                ctx.set_progress(done, 50, "work")
                ctx.log_message(f"{number}: {done}")
                logging.getLogger("plugin").warning("logged %d: %d", number, done)
            ctx.set_metrics({"loss": number}, "work")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(int(count))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def copies():
    with begin(checkpoint={"path": "a"}, client=Unpicklable()) as ctx:
        copy.copy(ctx).log_message("of a copy")
        deep = copy.deepcopy(ctx)
        deep.log_message("of a deep copy")
        deep.checkpoint["path"] = "b"
        pickle.loads(pickle.dumps(ctx)).log_message("of a pickled copy")
        print(ctx.checkpoint["path"], deep.client is ctx.client, flush=True)


# --- several processes -------------------------------------------------------------------------------------


def work(ctx, number):
    ctx.set_progress(number + 1, 10, f"part {number}")
    ctx.set_metrics({"loss": number / 2}, "parts")
    ctx.log_message(f"part {number}")
    logging.getLogger("plugin").warning("logged by part %d", number)
    return ctx.job_id, ctx.client is None, ctx.checkpoint, type(ctx.logger).__name__


def work_in_step(context, number):
    context.set_progress(number + 1, 10)
    context.log_message(f"part {number}")
    return context.current_step


def handed(way):
    """Hand the context to other processes."""
    with begin(checkpoint={"path": "a"}, client=Unpicklable()) as ctx:
        ctx.log_message("parent before")
        for answer in in_workers(way, work, ctx):
            assert answer == ("job-1", True, {"path": "a"}, "NoOpLogger"), answer
        ctx.log_message("parent after")


def in_workers(way, function, context):
    if way == "executor":
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
            return [each.result() for each in [pool.submit(function, context, number) for number in range(2)]]
    if way == "subprocess":
        return [in_subprocess(function, context, number) for number in range(2)]
    methods = multiprocessing.get_context(way.removesuffix("_pool"))
    if way.endswith("_pool"):
        with methods.Pool(2) as pool:
            answers = pool.starmap(function, [(context, number) for number in range(2)])
            pool.close()
            pool.join()
            return answers
    workers = [methods.Process(target=function, args=(context, number)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    return []


def in_subprocess(function, context, number):
    program = "import pickle, sys; f, *a = pickle.load(sys.stdin.buffer); sys.stdout.buffer.write(pickle.dumps(f(*a)))"
    given = pickle.dumps((function, context, number))
    return pickle.loads(
        subprocess.run([sys.executable, "-c", program], input=given, capture_output=True, check=True).stdout
    )


@dataclass
class Shared(BaseStepContext):
    way: str = ""


class Parts(BaseStep[Shared]):
    name = "parts"

    def execute(self, context):
        for answer in in_workers(context.way, work_in_step, context):
            assert answer == "parts"
        return StepResult()


def handed_in_step(way):
    with begin() as ctx:
        registry = StepRegistry[Shared]()
        registry.register(Parts())
        Orchestrator(registry, Shared(ctx, way=way)).execute()


def handed_with_settings(folder, endpoint):
    """Settings that stand in no variable go to the workers too."""
    synapse_otel.configure(journal_dir=folder, endpoint=endpoint, metric_export_interval=500)
    handed("spawn")


def one_pool_for_two_jobs():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for job in ("job-1", "job-2"):
            with begin(job) as ctx:
                pool.submit(work, ctx, int(job[-1])).result()


def forked_from_a_fork():
    methods = multiprocessing.get_context("fork")
    with begin() as ctx:
        child = methods.Process(target=handed_on, args=(ctx, methods))
        child.start()
        child.join()


def handed_on(ctx, methods):
    ctx.log_message("of the child")
    grandchild = methods.Process(target=work, args=(ctx, 0))
    grandchild.start()
    grandchild.join()


NAMES = {name: value for name, value in list(globals().items()) if callable(value) and not name.startswith("_")}

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[2])]
    from tests.faults import host  # what workers are handed is named by the module that they can import

    getattr(host, sys.argv[1])(*sys.argv[2:])
