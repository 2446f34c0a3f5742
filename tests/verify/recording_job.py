"""A job for tests of `verify`: it records two rounds, and ends or is killed."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time

import synapse_otel
from synapse_otel.plugins.steps.base import BaseStep
from synapse_otel.plugins.steps.context import BaseStepContext
from synapse_otel.plugins.steps.orchestrator import Orchestrator
from synapse_otel.plugins.steps.registry import StepRegistry
from synapse_otel.plugins.steps.result import StepResult

COUNT = 50
ODD = (
    " blanks around ",
    "two\nlines\r\nand\ttabs",
    "업로드 완료 ✓ 🙂",
    "{'a': 1}",
    '{"a": {"b": 1}}',
    "\x1b[31mred\x1b[0m \x00 nothing",
    "a lone \ud83d surrogate",
    "password=hunter2hunter2",
    "stars **** of its own",
    "long " * 5_000,
)


class Round(BaseStep[BaseStepContext]):
    """Records messages, samples and progress."""

    def __init__(self, number: int) -> None:
        self.number = number

    @property
    def name(self) -> str:
        return f"round {self.number}"

    def execute(self, context: BaseStepContext) -> StepResult:
        ctx = context.runtime_ctx
        for number in range(COUNT):
            ctx.log_message(f"message {self.number}-{number}")
            ctx.set_metrics({"loss": 1 / (number + 1), "epoch": number}, "train")
            ctx.set_progress(number + 1, COUNT)
            time.sleep(0.002)
        return StepResult(success=True)


def main(mode: str) -> None:
    with synapse_otel.job("train", plugin="verified") as ctx:
        first, second = StepRegistry[BaseStepContext](), StepRegistry[BaseStepContext]()
        first.register(Round(1))
        second.register(Round(2))
        Orchestrator(first, BaseStepContext(runtime_ctx=ctx)).execute()
        Orchestrator(second, BaseStepContext(runtime_ctx=ctx)).execute()
        if mode == "large":
            for number in range(4000):
                ctx.log_message(f"{number} {'x' * 2000}")
        if mode == "odd":
            for text in ODD:
                ctx.log_message(text)
            for text in ODD:
                logging.getLogger("plugin").warning(text)
            ctx.log("no body", {"numbers": [1, 2], "text": "a b"})
        if mode == "killed":
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])
