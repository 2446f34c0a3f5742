"""A context of the real Synapse SDK whose calls are recorded in the job of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from synapse_otel.plugins.context import RuntimeContext


@contextmanager
def sdk_context(ctx: RuntimeContext) -> Iterator[Any]:
    """Give a ``RuntimeContext`` of the SDK with what ours has; the SDK is instrumented as long as it is needed.

    What is run with it, an action that is dispatched too, belongs to the job that runs.

    Raises:
        ImportError: the SDK is not installed.
        DependencyConflictError: it is too old.
    """
    from synapse_otel.integrations.synapse_sdk import SynapseInstrumentor
    from synapse_otel.integrations.synapse_sdk.actions import belonging_to_the_job

    instrumentor = SynapseInstrumentor()
    was_there = instrumentor.is_instrumented_by_opentelemetry
    if not was_there:
        instrumentor.instrument(raise_exception_on_conflict=True)
    try:
        with belonging_to_the_job(context := _made_of(ctx)):
            yield context
    finally:
        if not was_there:
            instrumentor.uninstrument()


def _made_of(ctx: RuntimeContext) -> Any:
    from synapse_sdk.loggers import NoOpLogger
    from synapse_sdk.plugins.context import PluginEnvironment, RuntimeContext

    return RuntimeContext(
        logger=NoOpLogger(),
        env=PluginEnvironment(ctx.env.to_dict()),
        job_id=ctx.job_id,
        client=ctx.client,
        agent_client=ctx.agent_client,
        checkpoint=ctx.checkpoint,
        language=ctx.language,
    )
