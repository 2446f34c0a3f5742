"""Run in the SDK's Python: what calls of its context cost, bare or instrumented; printed as JSON, in us a call.

The clock is that of the thread, so that what else the machine does counts little; the best of many rounds is taken.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

ROUNDS = 60
CALLS = 1_000


def main() -> None:
    """Measure, and print."""
    from pydantic import BaseModel
    from synapse_sdk.loggers import NoOpLogger
    from synapse_sdk.plugins.action import BaseAction
    from synapse_sdk.plugins.context import PluginEnvironment, RuntimeContext

    class Nothing(BaseModel):
        """No parameters."""

    found: dict[str, float] = {}

    class Calling(BaseAction[Nothing]):
        """Calls its context."""

        def execute(self) -> dict[str, float]:
            ctx = self.ctx
            calls: dict[str, Callable[[], object]] = {
                "set_progress": lambda: ctx.set_progress(5, 10, "training"),
                "set_metrics": lambda: ctx.set_metrics({"loss": 0.125}, "training"),
                "log": lambda: ctx.log("checkpoint", {"epoch": 5}),
                "log_message": lambda: ctx.log_message("epoch 5 of 20 is done"),
            }
            for name, call in calls.items():
                found[name] = min(_round(call) for _ in range(ROUNDS))
            return found

    Calling.dispatch({}, RuntimeContext(logger=NoOpLogger(), env=PluginEnvironment({}), job_id="job-1"))
    json.dump(found, sys.stdout)


def _round(call: Callable[[], object]) -> float:
    begin = time.thread_time_ns()
    for _ in range(CALLS):
        call()
    return (time.thread_time_ns() - begin) / CALLS / 1_000


if __name__ == "__main__":
    main()
