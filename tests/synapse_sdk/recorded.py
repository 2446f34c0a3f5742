"""What was recorded of a case: its journals, read back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from synapse_otel import semconv
from synapse_otel.runs import LogKind, Recording, Span, run_groups


@dataclass
class Recorded:
    """The run that a case's job is in."""

    recording: Recording
    job: Span

    @property
    def steps(self) -> list[tuple[str, str]]:
        """Name and result of each span below the job's, in order."""
        return [(span.name, span.result or "") for span in self.job.children if span.scope == semconv.SCOPE_NAME]

    @property
    def messages(self) -> list[tuple[str, str]]:
        """Context and text of each message for the user."""
        return [(str(log.context), log.body) for log in self.recording.logs if log.kind is LogKind.MESSAGE]

    @property
    def events(self) -> list[str]:
        """Names of the plugin's own events."""
        return [log.event_name for log in self.recording.logs if log.kind is LogKind.EVENT]

    @property
    def developer_events(self) -> list[str]:
        """What was told to developers."""
        return [log.body for log in self.recording.logs if log.kind is LogKind.DEVELOPER]

    @property
    def exceptions(self) -> list[Any]:
        """Classes of the exceptions that left a step or the job."""
        return [log.attributes[semconv.EXCEPTION_TYPE] for log in self.recording.exceptions]

    def progress(self, category: str | None = None) -> tuple[float, float] | None:
        """Return how far a category has come, the job as a whole if none is named."""
        found = self.recording.progress_of(category)
        return (found.current, found.limit) if found else None

    def samples(self, category: str, name: str) -> list[float]:
        """Return the values of a metric."""
        series = self.recording.curves.get((category, name))
        return series.values if series else []


@cache
def _recordings(journals: Path) -> list[Recording]:
    """Read all runs, once: whoever asks does so when the processes have ended."""
    return [Recording.read(*(known.folder for known in group)) for group in run_groups([journals])]


def recorded_jobs(journals: Path, job_id: str) -> list[Recorded]:
    """Return all jobs of an id, in the order in which they started."""
    found = [
        Recorded(recording, job)
        for recording in _recordings(journals)
        for job in recording.jobs
        if job.attributes[semconv.JOB_ID] == job_id
    ]
    return sorted(found, key=lambda one: one.job.start)


def recorded_spans(journals: Path) -> list[Span]:
    """Return all spans of all runs."""
    return [span for recording in _recordings(journals) for _depth, span in recording.walk()]
