"""Jobs whose context goes to other processes: `worker_jobs.py NAME`."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import synapse_otel
from synapse_otel.loggers import NoOpLogger
from synapse_otel.plugins.steps import BaseStep, BaseStepContext, Orchestrator, StepRegistry, StepResult

FORK = multiprocessing.get_context("fork")
SPAWN = multiprocessing.get_context("spawn")


def use_a_provider_of_the_host(file):
    """Have spans written to a file, as lines of name, span id and parent's span id."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class ToFile(SpanExporter):
        def export(self, spans):
            with Path(file).open("a") as out:
                out.writelines(
                    f"{span.name}|{span.context.span_id:x}|{span.parent.span_id if span.parent else 0:x}\n"
                    for span in spans
                )
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(ToFile()))
    trace.set_tracer_provider(provider)


if "HOSTS_SPANS" in os.environ:
    use_a_provider_of_the_host(os.environ["HOSTS_SPANS"])


def work(ctx, number):
    ctx.log_message(f"part {number}")


def query(ctx, number):
    """Do something that another instrumentation has a span for."""
    from opentelemetry import trace

    with trace.get_tracer("host").start_as_current_span(f"query {number}"):
        ctx.log_message("asked")


def hand_on(ctx, number):
    worker = SPAWN.Process(target=work, args=(ctx, number))
    worker.start()
    worker.join()


def run_another(ctx, number):
    ctx.log_message("before")
    with synapse_otel.job("export", plugin="other", job_id="other", logger=NoOpLogger()) as other:
        other.log_message("inside")


def die(ctx, number):
    ctx.set_progress(1, 2, "parts")
    ctx.log_message(f"part {number}")
    os.kill(os.getpid(), signal.SIGKILL)


def terminated(ctx):
    """The usual way to use a pool: what is left of it is terminated at the end."""
    with FORK.Pool(1) as pool:
        pool.apply(work, (ctx, 0))


def several(ctx):
    """One process does several things for the step."""
    with ProcessPoolExecutor(1, mp_context=FORK) as pool:
        for number in range(3):
            pool.submit(work, ctx, number).result()


def instrumented(ctx):
    with ProcessPoolExecutor(1, mp_context=SPAWN) as pool:
        for number in range(2):
            pool.submit(query, ctx, number).result()


def instrumented_forks(ctx):
    with ProcessPoolExecutor(1, mp_context=FORK) as pool:
        pool.submit(query, ctx, 0).result()


def handed_on(ctx):
    with ProcessPoolExecutor(1, mp_context=SPAWN) as pool:
        pool.submit(hand_on, ctx, 0).result()


def with_a_job_of_its_own(ctx):
    with ProcessPoolExecutor(1, mp_context=SPAWN) as pool:
        pool.submit(run_another, ctx, 0).result()
        pool.submit(work, ctx, 1).result()


def killed(ctx):
    with ProcessPoolExecutor(1, mp_context=SPAWN) as pool:
        pool.submit(die, ctx, 0).result()


class Parts(BaseStep[BaseStepContext]):
    name = "parts"

    def __init__(self, spread):
        self.spread = spread

    def execute(self, context):
        self.spread(context.runtime_ctx)
        return StepResult()


class After(BaseStep[BaseStepContext]):
    name = "after"

    def execute(self, context):
        context.log_message("after")
        return StepResult()


def main(name):
    with synapse_otel.job("train", plugin="digits", job_id=name, logger=NoOpLogger()) as ctx:
        if name == "of_the_job":
            terminated(ctx)
            return
        registry = StepRegistry[BaseStepContext]()
        registry.register(Parts(globals()[name]))
        registry.register(After())
        Orchestrator(registry, BaseStepContext(ctx)).execute()


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[2])]
    from tests.jaeger import worker_jobs  # what workers are handed is named by the module that they can import

    worker_jobs.main(sys.argv[1])
