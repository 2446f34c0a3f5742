"""An action that does everything wrong once, and reports what the SDK said to that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from synapse_sdk.plugins.action import BaseAction


class WrongParams(BaseModel):
    """Which wrong call to let through; none: all are caught."""

    let: str = ""


class WrongAction(BaseAction[WrongParams]):
    """Calls with wrong arguments; returns the type and the text of each answer."""

    def execute(self) -> dict[str, Any]:
        ctx: Any = self.ctx
        logger: Any = self.logger
        calls: dict[str, Callable[[], Any]] = {
            "progress of nothing": lambda: ctx.set_progress(1, 0),
            "progress beyond": lambda: ctx.set_progress(3, 2),
            "progress below": lambda: ctx.set_progress(-1, 2),
            "progress of text": lambda: ctx.set_progress("one", 2),
            "progress by category": lambda: ctx.set_progress(1, 2, category="c"),
            "metrics no dict": lambda: ctx.set_metrics([1], "s"),
            "metrics no step": lambda: ctx.set_metrics({"a": 1}, ""),
            "metrics missing": lambda: ctx.set_metrics({"a": 1}),
            "log a list": lambda: ctx.log("e", [1]),
            "log without": lambda: ctx.log("e"),
            "message level": lambda: ctx.log_message("m", "info"),
            "message context": lambda: ctx.log_message("m", context="nonsense"),
            "message unfilled": lambda: ctx.log_message("{missing}", present=1),
            "message of number": lambda: ctx.log_message(5),
            "logger level": lambda: logger.log("info", "e", {}),
            "no such method": lambda: ctx.no_such_method(1),
            "no such on logger": lambda: logger.no_such_method(1),
            "trials": lambda: logger.log_trials({"no": 1}),
            "file missing": lambda: ctx.log("e", {}, "no-such-file.png"),
            "metric missing": lambda: ctx.log_metric("train"),
        }
        if self.params.let:
            calls[self.params.let]()
        return {name: self._answer(call) for name, call in calls.items()}

    @staticmethod
    def _answer(call: Callable[[], Any]) -> list[str]:
        try:
            return ["returned", repr(call())]
        except Exception as error:  # noqa: BLE001 - whichever the SDK raises is the answer
            return [f"{type(error).__module__}.{type(error).__qualname__}", str(error)]
