"""An unmodified plugin by its ordinary command under `synapse-otel run`: one tree in a real Jaeger, killed or not."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from uuid import uuid4

import pytest

from tests.eventually import eventually
from tests.synapse_sdk.running import HERE, Sdk
from tools.stack.query import Span, jaeger_search
from tools.stack.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.once]
VERSION = "2026.2.17"
PLUGIN = HERE / "plugin"


class Driven:
    """A driver that runs an action in an actor of Ray, and what Jaeger has of it."""

    def __init__(self, stack: Stack, folder: Path, action: str, **params: object) -> None:
        self._jaeger = stack.jaeger
        self.job_id = uuid4().hex
        sdk = Sdk(VERSION, "run", folder, endpoint=stack.otlp_http)
        arguments = (str(HERE / "task_driver.py"), str(PLUGIN), action, json.dumps(params), self.job_id)
        self.process = sdk.start(*arguments, folder=folder, output=folder, PYTHONPATH=str(PLUGIN))
        self._output = folder

    def ended(self) -> tuple[int, str]:
        """Wait for the command's end; return its status and what it wrote."""
        status = self.process.wait(timeout=240)
        return status, "".join((self._output / name).read_text() for name in ("stdout", "stderr"))

    def trace(self, *names: str) -> dict[str, Span]:
        """Return the spans of the trace by name, as soon as Jaeger has those."""

        def found() -> dict[str, Span] | None:
            traces = jaeger_search(self._jaeger, "sample-plugin", tags={"synapse.job.id": self.job_id})
            spans = {span.name: span for trace in traces.values() for span in trace}
            return spans if set(names) <= set(spans) else None

        spans = eventually(found, within=60)
        assert len({span.trace_id for span in spans.values()}) == 1
        return spans


def test_a_training_on_ray_is_one_tree(stack, tmp_path):
    driven = Driven(stack, tmp_path, "train", dataset=1, epochs=2)
    status, output = driven.ended()
    assert status == 0, output
    assert 'returned {"success": true' in output
    spans = driven.trace("submit train sample-plugin", "train sample-plugin", "prepare", "learn", "save")
    submit, job = spans["submit train sample-plugin"], spans["train sample-plugin"]
    assert job.parent_span_id == submit.span_id
    assert {spans[name].parent_span_id for name in ("prepare", "learn", "save")} == {job.span_id}
    assert job.attributes["synapse.job.result"] == "success"
    assert "Starting training for 2 epochs" in [event.attributes.get("message") for event in spans["learn"].events]
    assert job.resource["process.pid"] != submit.resource["process.pid"]


def test_a_worker_that_is_killed_is_in_the_tree_with_all_that_it_told(stack, tmp_path):
    marker = tmp_path / "marker"
    driven = Driven(stack, tmp_path, "endless", marker=str(marker), records=20)
    pid = eventually(lambda: marker.exists() and marker.read_text(), within=200)
    os.kill(int(pid), signal.SIGKILL)
    status, output = driven.ended()
    assert status == 1, output
    spans = driven.trace("submit endless sample-plugin", "endless sample-plugin")
    submit, job = spans["submit endless sample-plugin"], spans["endless sample-plugin"]
    assert job.parent_span_id == submit.span_id
    assert (job.attributes["synapse.job.result"], job.attributes["error.type"]) == ("error", "killed")
    assert submit.attributes["error.type"] == "ExecutionError"
    assert len([event for event in job.events if event.name == "tick"]) == 20
