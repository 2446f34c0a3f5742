"""Jobs and workers that run on any release, and tell on which: ``python jobs.py NAME [ARGUMENT...]``."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import synapse_otel
from synapse_otel.loggers import NoOpLogger
from synapse_otel.plugins.context import RuntimeContext
from synapse_otel.plugins.steps import BaseStep, BaseStepContext, Orchestrator, StepRegistry, StepResult


def told(line: str) -> None:
    print(line, flush=True)


def begin(name: str) -> AbstractContextManager[RuntimeContext]:
    return synapse_otel.job("train", plugin="demo", job_id=f"job-{name}", name=name, logger=NoOpLogger())


def record(ctx: RuntimeContext, name: str, numbers: range) -> None:
    for number in numbers:
        ctx.log_message(f"{name} message {number}")
        ctx.set_progress(number + 1, 100, "work")
        ctx.set_metrics({"loss": number}, "work")


def whole(name: str) -> None:
    """Begin and end."""
    with begin(name) as ctx:
        record(ctx, name, range(20))


def waiting(name: str) -> None:
    """Record one half, wait for a word, record the other half, and do as the word says."""
    with begin(name) as ctx:
        record(ctx, name, range(10))
        told("half")
        word = sys.stdin.readline().strip()
        record(ctx, name, range(10, 20))
        if word == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "fail":
            sys.exit(3)


class Delegate(BaseStep[BaseStepContext]):
    """Gives a part of the work to a program."""

    name = "delegate"

    def __init__(self, how: str, *worker: str) -> None:
        self._how, self._worker = how, worker

    def execute(self, context: BaseStepContext) -> StepResult:
        ctx = context.runtime_ctx
        environment, given = dict(os.environ), b""
        if self._how == "variables":
            environment |= synapse_otel.child_environment(ctx)
        elif self._how == "trace alone":
            found = synapse_otel.child_environment(ctx)
            environment |= {name: found[name] for name in ("TRACEPARENT", "TRACESTATE") if name in found}
        else:
            if self._how == "pickle that is of no use":
                pickle_what_is_of_no_use()
            given = pickle.dumps(ctx)
        subprocess.run(self._worker, env=environment, input=given, check=True)
        return StepResult()


def pickle_what_is_of_no_use() -> None:
    """Pickle as a release does whose way to set up a worker takes one argument more."""
    from synapse_otel.mapping.propagation import remote_job

    known = remote_job.hand_over

    def hand_over(scope: Any) -> remote_job.RemoteJob:
        found = known(scope)
        assert found.set_up is not None
        function, arguments = found.set_up
        return replace(found, set_up=(function, (*arguments, "one more")))

    remote_job.hand_over = hand_over


def parent(name: str, how: str, *worker: str) -> None:
    """Run one step, in which a worker does its part."""
    with begin(name) as ctx:
        registry = StepRegistry[BaseStepContext]()
        registry.register(Delegate(how, *worker))
        Orchestrator(registry, BaseStepContext(ctx)).execute()


def worker(name: str) -> None:
    """Work for the job that the environment tells of."""
    synapse_otel.configure()
    record(RuntimeContext(logger=NoOpLogger()), name, range(20))


def child(name: str) -> None:
    """Run a job of one's own, in the trace that the environment tells of."""
    whole(name)


def unpickling(name: str) -> None:
    """Work for the job whose context comes in."""
    record(pickle.load(sys.stdin.buffer), name, range(20))


def unpickling_as(version: str, name: str) -> None:
    """Do it as another release."""
    from synapse_otel.mapping.propagation import remote_job

    vars(remote_job)["__version__"] = version
    unpickling(name)


def reading(*names: str) -> None:
    """Tell what is read of runs."""
    from synapse_otel import read

    found = {}
    for name in names:
        run = read.run(name)
        found[name] = {
            "messages": [one.text for one in run.messages() if one.kind == "message"],
            "loss": run.metrics()["work", "loss"].values.tolist(),
            "state": run.state,
        }
    told(json.dumps(found))


if __name__ == "__main__":
    told(str(Path(synapse_otel.__file__).parents[1]))
    globals()[sys.argv[1]](*sys.argv[2:])
