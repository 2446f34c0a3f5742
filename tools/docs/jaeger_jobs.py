"""The four jobs of docs/jaeger.md: run against a real Jaeger, and what its query API answers about each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Self

from synapse_otel import semconv
from tools.docs.blocks import ROOT
from tools.stack.fetch import get_json
from tools.stack.polling import eventually

SCRIPT: Final = ROOT / "examples" / "four_jobs.py"
KINDS: Final = ("good", "failed", "killed", "distributed")
SERVICE: Final = "cats"
ROOT_SPAN: Final = "train cats"
_TRAINED: Final = ("train (started)", "load", "check")
MIDDLE: Final = dict.fromkeys(KINDS, _TRAINED) | {
    "distributed": ("load", "convert (started)", *("worker convert (started)",) * 2)
}
"""By kind of job, the spans by which it is known to have come to the middle."""
END: Final = dict.fromkeys(KINDS, (ROOT_SPAN,)) | {"distributed": (ROOT_SPAN, *("worker convert",) * 2)}
"""By kind of job, the spans by which it is known to be whole: processes are delivered each for itself."""
_SECONDS: Final = 90.0

Trace = Mapping[str, Any]
"""A trace as `/api/traces` answers it, which is what Jaeger's web page draws."""


class RunningJob:
    """One of the four; ``with`` runs it, or, where it pauses in its middle, lets it go on at the end."""

    def __init__(self, kind: str, job_id: str, *, otlp: str, state: Path, pause: bool, service: str = SERVICE) -> None:
        """Start it; ``otlp`` is where its telemetry goes, ``state`` a folder for its journals."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SYNAPSE_"))}
        self.kind = kind
        self.id = job_id
        self.service = service
        self._pause = pause
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), kind, "--job", job_id, *(["--pause"] if pause else [])],
            env={
                **kept,
                "XDG_STATE_HOME": str(state),
                "OTEL_EXPORTER_OTLP_ENDPOINT": otlp,
                "OTEL_SERVICE_NAME": service,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        """Wait until it is paused."""
        paused = self._process.stdout.readline() if self._pause and self._process.stdout else ""
        if self._pause and paused != "paused\n":
            self._process.kill()
            raise RuntimeError(f"{self.kind} did not come to its middle: {self._process.communicate()[1]}")
        return self

    def __exit__(self, *_: object) -> None:
        """Let it go on, and wait for its end."""
        try:
            self._process.communicate("go on\n", timeout=_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()

    @property
    def tags(self) -> dict[str, str]:
        """What it is found by."""
        return {semconv.JOB_ID: self.id}

    def trace(self, jaeger: str, *names: str) -> Trace:
        """Return its trace as soon as Jaeger, at the URL ``jaeger``, has spans of these names."""
        (trace,) = eventually(lambda: _with(search(jaeger, self.tags, service=self.service), names), timeout=_SECONDS)
        return trace


def see_running(kind: str, job_id: str, *, otlp: str, jaeger: str, state: Path) -> Trace:
    """Run a job, and look at it in its middle."""
    with RunningJob(kind, job_id, otlp=otlp, state=state, pause=True) as job:
        return job.trace(jaeger, *MIDDLE[kind])


def see_ended(kind: str, job_id: str, *, otlp: str, jaeger: str, state: Path) -> Trace:
    """Run a job without a pause, and look at it when it has ended."""
    with RunningJob(kind, job_id, otlp=otlp, state=state, pause=False) as job:
        pass
    return job.trace(jaeger, *END[kind])


def search(
    jaeger: str,
    tags: Mapping[str, str] | None = None,
    *,
    service: str = SERVICE,
    operation: str = "",
    shortest: str = "",
) -> list[Trace]:
    """Return the traces that the form of Jaeger's web page finds with these fields.

    ``shortest`` is its field *Min Duration*, such as ``100ms``. Raises AnswerError, OSError.
    """
    fields = {"operation": operation, "tags": _as_json(tags), "minDuration": shortest}
    given = [(name, value) for name, value in fields.items() if value]
    found: list[Trace] = get_json(f"{jaeger}/api/traces", [("service", service), ("limit", "100"), *given])["data"]
    return found


def of_job(trace: Trace) -> str:
    """Return the id of the job that a trace is of."""
    return str(next(tag["value"] for span in trace["spans"] for tag in span["tags"] if tag["key"] == semconv.JOB_ID))


def title(trace: Trace) -> str:
    """Return the name by which Jaeger's web page lists a trace: that of its first span without a parent there."""
    known = {span["spanID"] for span in trace["spans"]}
    orphans = [span for span in trace["spans"] if not any(each["spanID"] in known for each in span["references"])]
    first = min(orphans, key=lambda span: (len(span["references"]), span["startTime"]))
    return str(first["operationName"])


def _as_json(tags: Mapping[str, str] | None) -> str:
    return json.dumps(dict(tags)) if tags else ""


def _with(found: Iterable[Trace], names: Iterable[str]) -> list[Trace]:
    """Return the traces that have spans of these names; a name given twice, two of it."""
    wanted = Counter(names)
    return [trace for trace in found if wanted <= Counter(span["operationName"] for span in trace["spans"])]
