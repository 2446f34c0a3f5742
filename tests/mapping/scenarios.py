"""The main cases of a job, as a plugin's author writes them: run with every kind of providers, compared as text."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from synapse_otel.plugins.actions.export import ExportContext
from synapse_otel.plugins.context import RuntimeContext
from synapse_otel.plugins.models.logger import LogLevel
from synapse_otel.plugins.steps import BaseStep, Orchestrator, StepRegistry, StepResult


@dataclass(frozen=True)
class Scenario:
    """What a job does, and what it is started with."""

    run: Callable[[RuntimeContext], object]
    job: Mapping[str, Any] = field(default_factory=dict)
    raises: type[BaseException] | None = None


class Step(BaseStep[ExportContext]):
    def __init__(self, name, work=None, *, weight=1.0, skip=False, undo=None):
        self._name, self._work, self._weight, self._skip, self._undo = name, work, weight, skip, undo

    @property
    def name(self):
        return self._name

    @property
    def progress_weight(self):
        return self._weight

    def can_skip(self, context):
        return self._skip

    def execute(self, context):
        return (self._work(context) if self._work else None) or StepResult()

    def rollback(self, context, result):
        if self._undo:
            self._undo(context)


def workflow(ctx, *steps, **fields):
    registry = StepRegistry[ExportContext]()
    for step in steps:
        registry.register(step)
    Orchestrator(registry, ExportContext(ctx, **fields)).execute()


def steps(ctx):
    def fetch(context):
        context.set_progress(1, 4)
        context.set_progress(4, 4)
        context.log_message("fetched", "success")
        context.total_count = 4

    def save(context):
        for done in (1, 2):
            context.set_progress(done, 2, "files")
            context.set_metrics({"size": done * 1.5})
        context.log("saved", {"files": 2})
        context.exported_count = 2
        context.output_path = "/out"

    workflow(ctx, Step("fetch", fetch, weight=1), Step("save", save, weight=3))


def failing_step(ctx):
    def broken(context):
        context.log_message("about to fail", "warning")
        raise ValueError("bad label")

    def undo_fails(context):
        raise OSError("cannot undo")

    workflow(
        ctx,
        Step("a", undo=undo_fails),
        Step("b", undo=lambda context: context.log_message("undone", "info")),
        Step("c", broken),
        Step("never"),
    )


def reported_failure(ctx):
    workflow(ctx, Step("check", lambda _context: StepResult(success=False, error="nothing to export")))


def skipped_step(ctx):
    workflow(
        ctx,
        Step("a", skip=True),
        Step("b", lambda _context: StepResult(skipped=True)),
        Step("c"),
        params={"format": "coco"},
    )


def metrics(ctx):
    ctx.set_metrics({"loss": 0.5, "epoch": 1}, "train")
    ctx.set_metrics({"loss": 0.25, "epoch": 2}, "train")
    ctx.set_metrics({"loss": math.nan, "gain": math.inf, "lr": 0.1}, "train")
    ctx.set_metrics({"note": "diverged", "kept": True, "none": None}, "train")
    ctx.set_metrics({"map": {"50": 0.5, "all": {"small": 0.1}}, "empty": {}}, step="val")
    ctx.set_metrics(
        {"half": np.float16(0.5), "whole": np.int64(7), "one": np.array([3.0]), "many": np.arange(3)}, "val"
    )
    ctx.log_metric("val", "acc", 0.75, f1=0.5)


def progress(ctx):
    ctx.set_progress(0, 10)
    ctx.set_progress(5, 10)
    ctx.set_progress(3, 10, "download")
    ctx.set_progress(10, 10, "download")
    ctx.set_progress(1, 10, "download")
    ctx.set_progress(7, 8, step="train")


def messages(ctx):
    for word in ("debug", "info", "success", "warning", "danger", "error", "critical"):
        ctx.log_message(f"older {word}", word)
        ctx.log_message(f"newer {word}", level=LogLevel(word), category="phase")
    ctx.log_message({"en": "{n} files", "ko": "파일 {n}개"}, language="ko", n=3)
    ctx.log_message("{n} of {total}", "warning", n=1, total=2)
    ctx.end_log()


class _Odd:
    def __repr__(self):
        raise RuntimeError("no")


def events(ctx):
    cycle: dict[str, Any] = {"name": "loop"}
    cycle["self"] = cycle
    ctx.log("checkpoint", {"epoch": 5, "metrics": {"loss": 0.5}}, __file__)
    ctx.log("missing", None, Path("/nowhere/file"), level="warning", category="files")
    ctx.log(
        "odd",
        {
            "bytes": b"\xff\x00a",
            "date": dt.date(2024, 1, 2),
            "took": dt.timedelta(seconds=90),
            "object": _Odd(),
            "set": {3, 1, 2},
            "big": 1 << 70,
            "list": [1, "two", None],
            "array": np.array([[1, 2], [3, 4]]),
            "path": Path("/a/b"),
            "level": LogLevel.WARNING,
            "error": ValueError("inner"),
            3: "number",
            (1, 2): "tuple",
            "none": None,
            "cycle": cycle,
        },
    )
    ctx.log_dev_event("cache miss", {"key": "a", "size": 3})
    ctx.log_dev_event("no data")
    ctx.log_visualization("val", "boxes", 1, "/img.png", caption="cat")


def secrets(ctx):
    ctx.log("login", {"user": "ann", "password": "hunter2", "nested": {"api_key": "k"}, "max_tokens": 5, "token": 7})
    ctx.set_metrics({"loss": 1.0}, "train")


def exception(ctx):
    ctx.log_message("so far so good")
    raise KeyError("missing label")


SCENARIOS: dict[str, Scenario] = {
    "steps": Scenario(steps, {"action": "export", "version": "1.2.0"}),
    "failing_step": Scenario(failing_step, raises=RuntimeError),
    "reported_failure": Scenario(reported_failure, raises=RuntimeError),
    "skipped_step": Scenario(skipped_step),
    "metrics": Scenario(metrics),
    "progress": Scenario(progress),
    "messages": Scenario(messages),
    "events": Scenario(events),
    "secrets": Scenario(
        secrets, {"params": {"hf_token": "abc", "lr": 0.1, "model": {"layers": [1, 2], "secret": "s"}}}
    ),
    "exception": Scenario(exception, raises=KeyError),
    "cancelled": Scenario(lambda _ctx: (_ for _ in ()).throw(KeyboardInterrupt), raises=KeyboardInterrupt),
    "checkpoint": Scenario(
        lambda _ctx: None,
        {
            "category": "neural_net",
            "checkpoint": {"category": "base", "path": "/models/yolo.pt"},
            "params": {"epochs": 10, "names": ["cat", "dog"], "when": dt.date(2024, 1, 2)},
        },
    ),
}


def arguments(name):
    """Return what the job of a scenario is started with."""
    return {"action": "train", "plugin": "yolo", "job_id": "job-1", "name": "nightly", "env": {}, **SCENARIOS[name].job}
