"""Actions without steps."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import warnings
from typing import Any

from pydantic import BaseModel
from synapse_sdk.loggers import BaseLogger, ConsoleLogger, JobLogger
from synapse_sdk.plugins.action import BaseAction
from synapse_sdk.plugins.models.logger import LogLevel

from sample_plugin.pixel import picture


class PlainParams(BaseModel):
    """What the action is told."""

    count: int = 3
    fail: bool = False


class PlainResult(BaseModel):
    """What it returns."""

    done: int
    note: str = ""


class PlainAction(BaseAction[PlainParams]):
    """Tells by every way that an action, its context and its logger have."""

    result_model = PlainResult

    def execute(self) -> PlainResult:
        count = self.params.count
        for done in range(1, count + 1):
            self.set_progress(done, count, category="files")
        self.set_progress(count, count)
        self.set_metrics({"files": count}, "files")
        self.log("counted", {"files": count})
        self.log_metric("validation", "f1", 0.5, recall=0.25)
        self.log_message("by the action", LogLevel.DANGER)
        logger = self.logger
        logger.info("by the logger")
        logger.debug("for developers")
        logger.warning("careful")
        logger.error("wrong, and going on")
        logger.critical("very wrong, and going on")
        logger.log_event("own_event", {"a": 1}, picture("own.png"))
        logger.log_metric("train", "loss", 0.125)
        logger.log_visualization("train", "group", 1, picture("own.png"))
        logger.log_trials({"trials": {"t": {"x": 1}}})
        logger.log_message("straight to the logger", LogLevel.SUCCESS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            logger.log_message("by the old name", context="warning")
            self.ctx.log_message("by the old name", context="success")
        logger.set_progress_failed("files")
        if self.params.fail:
            raise LookupError("nothing to count", count)
        self.ctx.end_log()
        return PlainResult(done=count, note="plain")


class LookAction(BaseAction[PlainParams]):
    """Looks at what it was given, as plugins and the SDK's own steps do."""

    def execute(self) -> dict[str, Any]:
        logger = self.ctx.logger
        logger.set_step("look", order=2)
        logger.set_progress(1, 4)
        logger.set_metrics({"x": 1.5})
        logger.mark_of_the_plugin = "seen"  # type: ignore[attr-defined]
        again = dataclasses.replace(self.ctx, language="ko")
        again.log_message("by a copy of the context")
        copy.copy(self.ctx).log_message("by another copy")
        seen = {
            "is base": isinstance(logger, BaseLogger),
            "is console": isinstance(logger, ConsoleLogger),
            "is job": isinstance(logger, JobLogger),
            "class": logger.__class__.__qualname__,
            "one logger": self.ctx.logger is self.logger,
            "equal": self.ctx.logger == self.logger,
            "hashable": isinstance(hash(logger), int),
            "true": bool(logger),
            "proportions": hasattr(logger, "set_step_proportions"),
            "nothing": hasattr(logger, "no_such_attribute"),
            "mark": vars(logger).get("mark_of_the_plugin"),
            "vars": sorted(vars(logger)),
            "public": sorted(name for name in dir(logger) if not name.startswith("_")),
            "step": [logger.get_step(), logger.get_step_order()],
            "progress": logger.get_progress("look").percent,
            "metrics": logger.get_metrics(),
            "fields": [field.name for field in dataclasses.fields(self.ctx)],
            "job": self.ctx.job_id,
            "language": [self.ctx.language, again.language],
            "client": type(self.ctx.client).__qualname__,
            "checkpoint": self.ctx.checkpoint,
            "pickled": self._pickled(logger),
        }
        logger.set_step(None)
        return seen

    @staticmethod
    def _pickled(logger: Any) -> str:
        try:
            return pickle.loads(pickle.dumps(logger)).__class__.__qualname__
        except (TypeError, pickle.PicklingError) as error:
            return type(error).__name__
