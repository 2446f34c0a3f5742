"""How many errors a run had: one exception is one, however many records it has left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from synapse_otel.journal.folder import run_folders
from tests.runs.runs import environment
from tests.ui.test_server import client_of
from tests.ui.test_terminal import watch

_JOB = """
import logging, sys
import synapse_otel
from synapse_otel.loggers import NoOpLogger
from synapse_otel.plugins.actions.train import TrainContext
from synapse_otel.plugins.steps import BaseStep, Orchestrator, StepRegistry, StepResult

log = logging.getLogger("plugin")

def work(what):
    raise ValueError(f"bad {what}")

def logged_and_left(context):
    try:
        work("image")
    except ValueError:
        log.exception("cannot read it")
        raise

def logged_twice_and_left(context):
    try:
        logged_and_left(context)
    except ValueError as error:
        log.error("again", exc_info=error)
        raise

def raised_from(context):
    try:
        logged_and_left(context)
    except ValueError as error:
        raise RuntimeError("cannot train") from error

def raised_from_twice(context):
    try:
        raised_from(context)
    except RuntimeError as error:
        raise KeyError("at all") from error

def tried_three_times(context):
    for attempt in range(3):
        try:
            work("image")
        except ValueError:
            log.exception("attempt failed")
            if attempt == 2:
                raise

def two_of_one_place(context):
    for what in ("image", "label"):
        try:
            work(what)
        except ValueError:
            log.exception("left out")

def messages(context):
    context.log_message("disk full", "danger")
    context.log_message("disk full", "danger")
    log.error("no trace")

def nothing(context):
    pass

class Step(BaseStep):
    name = "load"

    def execute(self, context):
        globals()[sys.argv[1]](context)
        return StepResult()

with synapse_otel.job("train", plugin="yolo", logger=NoOpLogger()) as ctx:
    registry = StepRegistry()
    registry.register(Step())
    try:
        Orchestrator(registry, TrainContext(ctx)).execute()
    except Exception:
        if len(sys.argv) > 2:
            log.exception("the workflow failed")
        raise
"""


def record(root: Path, *arguments: str) -> None:
    """Run a job, which may fail."""
    subprocess.run(
        [sys.executable, "-c", _JOB, *arguments], env=environment(root), check=False, timeout=60, capture_output=True
    )


@pytest.mark.parametrize(
    ("scenario", "errors", "records"),
    [
        ("logged_and_left", 1, 3),
        ("logged_and_left outside", 1, 4),
        ("logged_twice_and_left outside", 1, 5),
        ("raised_from", 1, 3),
        ("raised_from_twice outside", 1, 4),
        ("tried_three_times", 3, 5),
        ("two_of_one_place", 2, 2),
        ("messages", 3, 3),
        ("nothing", 0, 0),
    ],
)
def test_one_exception_is_one_error(tmp_path, scenario, errors, records):
    record(tmp_path, *scenario.split())
    (folder,) = run_folders(tmp_path)
    logs = client_of(tmp_path).get(f"/api/runs/{folder.name}").json()["logs"]
    assert (logs["errors"], logs["least"]["error"]) == (errors, records)


def test_a_terminal_shows_as_many(tmp_path):
    record(tmp_path, "logged_twice_and_left", "outside")
    (folder,) = run_folders(tmp_path)

    async def scenario(terminal):
        await terminal.shows("messages", " 1 error ")

    watch(tmp_path, scenario, run=folder.name)
