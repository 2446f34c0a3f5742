"""`Overview`: a run without its records, also after they are delivered and deleted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import time_ns
from typing import Any, Self

from synapse_otel import semconv
from synapse_otel.journal.account import Account, account_of_cursors, account_of_journals, cursors_of
from synapse_otel.journal.cursor import Cursor
from synapse_otel.journal.folder import Exit, Run, read_exit, read_run, read_slots
from synapse_otel.journal.liveness import cause_of_death
from synapse_otel.journal.summary import JobSummary, MetricSummary, Summary, summary_of
from synapse_otel.journal.usage import read_usage
from synapse_otel.redaction import redact_values
from synapse_otel.runs.entries import CategoryProgress
from synapse_otel.runs.runs import run_name
from synapse_otel.runs.state import RunState, classify, joined_state, run_state
from synapse_otel.runs.workers import Told, one_account
from synapse_otel.semconv.signal import Signal


@dataclass(frozen=True, slots=True)
class JobOverview:
    """A job of a run."""

    id: str
    action: str
    plugin: str
    version: str
    category: str
    trace_id: str
    """32 hexadecimal digits; empty without a span."""
    start: int
    """Unix time in ns."""
    end: int
    """Unix time in ns; 0 while it runs. Of a killed one: the last thing that is known of it."""
    result: str
    """As in `synapse.job.result`; empty while it runs."""
    error_type: str
    state: RunState
    """Done if it has ended, even if its process is alive; crashed if its process died without ending it."""
    name: str = ""
    """What its run is called; empty if it was recorded without a name."""
    tags: list[str] = field(default_factory=list)
    notes: str = ""
    trial: str = ""
    """Id of the trial that it is, in a search for hyperparameters; empty for any other job."""
    params: dict[str, Any] = field(default_factory=dict)
    """Its parameters, credentials redacted; nested names joined with dots."""

    @classmethod
    def of(cls, job: JobSummary, judge: Callable[..., RunState], died: _Death | None) -> Self:
        """Return the job of a summary; ``died``: how its process ended, if that ended the job.

        ``judge`` is `classify`, without the argument whether it has ended.
        """
        known = {**job.attributes, **job.outcome}
        end, result, error_type = job.end, str(job.outcome.get(semconv.JOB_RESULT, "")), ""
        if not end and died is not None:
            end, result, error_type = max(died.time, job.start), semconv.RESULT_ERROR, died.error_type
        return cls(
            id=str(known.get(semconv.JOB_ID, "")),
            action=str(known.get(semconv.ACTION, "")),
            plugin=str(known.get(semconv.PLUGIN_NAME, "")),
            version=str(known.get(semconv.PLUGIN_VERSION, "")),
            category=job.category,
            trace_id=job.trace_id,
            start=job.start,
            end=end,
            result=result,
            error_type=error_type or str(job.outcome.get(semconv.ERROR_TYPE, "")),
            name=job.name,
            tags=job.tags,
            notes=str(known.get(semconv.RUN_NOTES, "")),
            trial=str(known.get(semconv.TRIAL_ID, "")),
            params=_params(known),
            state=judge(ended=bool(job.end)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A run and what became of it."""

    folders: list[Path]
    """Of its journals, that of the process that began it first."""
    run: Run
    state: RunState
    jobs: list[JobOverview]
    """The jobs that its own processes ran, the oldest first."""
    progress: list[CategoryProgress]
    """The last progress of each category; the job's overall progress first."""
    account: Account
    by_signal: dict[str, Account]
    """By `logs`, `metrics`, `traces`."""
    exit: Exit | None
    """How its process ended, if its parent reported it."""
    last: int
    """Unix time in ns of the last record or progress."""
    version: int
    """Of the journal's format."""
    revision: str = ""
    """Of the git repository that it ran in."""
    host: str = ""
    """`host.name` of its resource; empty if it has none."""
    metrics: dict[Path, list[MetricSummary]] = field(default_factory=dict)
    """By folder of a journal: the values of the plugin's metrics, where its summary holds them."""
    attempt: int = 1
    """Which of its job's runs it is, and..."""
    attempts: int = 1
    """...how many there are, as far as `by_job` has seen them."""

    @classmethod
    def read(
        cls,
        folders: Sequence[Path],
        *,
        stall_seconds: float = math.inf,
        summary_of: Callable[[Path], Summary] = summary_of,
    ) -> Self:
        """Read the overview of a run: its newest segments, its state block and its cursors.

        Args:
            folders: of its journals, that of the process that began it first.
            stall_seconds: how long a job that runs may be silent before it counts as stalled.
            summary_of: returns the summary of a journal that is followed; otherwise it is read.

        Raises:
            OSError: a journal cannot be read.
            LookupError: the folder is not a run's, or nothing in it can be read.
        """
        runs = [read_run(folder) for folder in folders]
        if runs[0] is None:
            raise LookupError(f"{folders[0]} cannot be read as a run")
        summaries = [summary_of(folder) for folder in folders]
        states = [_state(*one) for one in zip(folders, summaries, runs, strict=True)]
        state = joined_state(states, runs)
        told = [
            Told.of(read_slots(folder), summary, run, its)
            for folder, summary, run, its in zip(folders, summaries, runs, states, strict=True)
        ]
        progress = one_account(told, state)
        last = max([*(one.last for one in summaries), *(one.last_time for one in progress)])
        found_exit = next((found for folder in reversed(folders) if (found := read_exit(folder))), None)
        silent_seconds = (time_ns() - last) / 1e9
        judge = partial(classify, alive=state.lives, silent_seconds=silent_seconds, stall_seconds=stall_seconds)
        cut_off = not state.lives and any(not job.end for one in summaries for job in one.jobs.values())
        oom_killed = cut_off and any(read_usage(folder).oom_kill for folder in folders)
        death = None if state.lives else _Death(cause_of_death(found_exit, oom_killed=oom_killed), last)
        jobs = _jobs(summaries, judge, death)
        if any(job.state is RunState.STALLED for job in jobs):
            state = RunState.STALLED
        cursors = [cursors_of(folder) for folder in folders]
        emitted = [_emitted(*one) for one in zip(cursors, summaries, strict=True)]
        return cls(
            folders=list(folders),
            run=runs[0],
            state=state,
            jobs=jobs,
            progress=progress,
            account=account_of_journals(cursors, sum(map(sum, emitted))),
            by_signal=_by_signal(cursors, emitted),
            exit=read_exit(folders[0]) or found_exit,
            last=last,
            version=max([one.version for one in summaries] + [runs[0].version]),
            revision=next((one.revision for one in summaries if one.revision), ""),
            host=next((one.host for one in summaries if one.host), ""),
            metrics={
                folder: one.metrics for folder, one in zip(folders, summaries, strict=True) if one.metrics is not None
            },
        )

    @property
    def job(self) -> JobOverview | None:
        """The first job."""
        return self.jobs[0] if self.jobs else None

    @property
    def name(self) -> str:
        """What the run is called."""
        return (self.job.name if self.job else "") or run_name(self.run) or self.run.name

    @property
    def title(self) -> str:
        """What to call it in a list: its name; of a job that was recorded without one, action and plugin."""
        job = self.job
        return self.name if job is None or job.name else f"{job.action} {job.plugin}"

    @property
    def tags(self) -> list[str]:
        """The tags of its jobs, each one once."""
        return list(dict.fromkeys(tag for job in self.jobs for tag in job.tags))

    @property
    def job_key(self) -> tuple[str, ...] | None:
        """What the runs of one job have in common; None for a run without a job."""
        job = self.job
        return (job.plugin, job.action, job.id, job.trial) if job is not None and job.id else None

    @property
    def start(self) -> int:
        """Unix time in ns at which the first job began, or else the process."""
        return self.job.start if self.job else int(self.run.created * 1e9)

    @property
    def end(self) -> int:
        """Unix time in ns at which the first job ended, or else of the last thing that is known; 0 while it runs."""
        return (self.job.end if self.job else 0) or (0 if self.state.lives else self.last)

    @property
    def overall(self) -> CategoryProgress | None:
        """The job's last overall progress, or that of the category that changed last."""
        whole = [one for one in self.progress if not one.category]
        return max(whole or self.progress, key=lambda one: one.progress.time, default=None)


@dataclass(frozen=True, slots=True)
class _Death:
    """How a process ended without ending its job, and its last record, as Unix time in ns."""

    error_type: str
    time: int


def _params(known: Mapping[str, Any]) -> dict[str, Any]:
    prefix = semconv.PARAMS_PREFIX
    params = {key.removeprefix(prefix): value for key, value in known.items() if key.startswith(prefix)}
    return redact_values(params)  # type: ignore[no-any-return] # a mapping stays one


def _state(folder: Path, summary: Summary, run: Run | None) -> RunState:
    return run_state(folder, ended=summary.ended, run=run)


def _jobs(summaries: Iterable[Summary], judge: Callable[..., RunState], death: _Death | None) -> list[JobOverview]:
    found: dict[str, JobSummary] = {}
    for summary in summaries:
        for key, job in summary.jobs.items():
            # A job that goes on in another journal ends there; one that was handed to a worker is not the worker's.
            if job.own and (key not in found or not found[key].end):
                found[key] = job
    return [JobOverview.of(job, judge, death) for job in sorted(found.values(), key=lambda job: job.start)]


def _emitted(cursors: Mapping[Signal, Cursor], summary: Summary) -> list[int]:
    """Return, by signal, how many records a journal was given."""
    return [max(cursors[signal].sequence, *summary.sequences[signal : signal + 1], 0) for signal in Signal]


def _by_signal(cursors: Sequence[Mapping[Signal, Cursor]], emitted: Sequence[Sequence[int]]) -> dict[str, Account]:
    return {
        signal.name.lower(): account_of_cursors([one[signal] for one in cursors], sum(one[signal] for one in emitted))
        for signal in Signal
    }
