"""The four jobs of docs/jaeger.md, run once, and what the real Jaeger answers about them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.jaeger.normal import as_on_a_fast_machine
from tools.docs.jaeger_jobs import END, KINDS, MIDDLE, RunningJob, Trace
from tools.stack.stack import Stack

LIVE = "cats-live"
"""Service of the jobs that run on: the searches for the others must not find them."""


@dataclass
class Jobs:
    """The jobs' traces."""

    jaeger: str
    ended: dict[str, Trace]
    running: dict[str, Trace]


@pytest.fixture(scope="session")
def jobs(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    """Run the four, and two more that stay in their middle."""
    places: Any = {"otlp": stack.otlp_http, "state": tmp_path_factory.mktemp("jaeger")}
    with ExitStack() as running:
        paused = [RunningJob(kind, f"{kind}-0", **places, pause=True, service=LIVE) for kind in ("good", "distributed")]
        going = [RunningJob(kind, f"{kind}-1", **places, pause=False) for kind in KINDS]
        for job in paused:
            running.enter_context(job)
        for job in going:
            with job:
                pass
        yield Jobs(
            stack.jaeger,
            {job.kind: as_on_a_fast_machine(job.trace(stack.jaeger, *END[job.kind])) for job in going},
            {job.kind: job.trace(stack.jaeger, *MIDDLE[job.kind]) for job in paused},
        )
