"""Runs as JSON, for programs: the names of fields stay (docs/schemas/jobs.schema.json)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from synapse_otel.journal.account import Account
from synapse_otel.journal.frames import clean
from synapse_otel.runs import CategoryProgress, JobOverview, Overview
from synapse_otel.runs.entries import iso_time


class JobJson(msgspec.Struct):
    """A job of a run."""

    job_id: str | None
    action: str
    plugin: str
    version: str | None
    category: str | None
    name: str | None
    tags: Sequence[str]
    notes: str | None
    trial: str | None
    trace_id: str | None
    state: str
    started: str | None
    """Times are of ISO 8601, in UTC; null for one that no calendar has."""
    ended: str | None
    duration_seconds: float | None
    result: str | None
    error_type: str | None


class WorkerJson(msgspec.Struct):
    """The progress of one worker."""

    worker: str
    current: float
    limit: float


class ProgressJson(msgspec.Struct):
    """The latest progress of a category."""

    category: str | None
    current: float
    limit: float
    time: str | None
    eta_seconds: float | None
    workers: list[WorkerJson]


class AccountJson(msgspec.Struct, kw_only=True):
    """What became of records: ``emitted`` is the sum of ``delivered``, ``pending`` and ``dropped``."""

    emitted: int
    delivered: int
    withheld: int
    """Of the delivered ones, start markers that need not be sent."""
    pending: int
    dropped: int
    dropped_by_reason: Mapping[str, int]
    failure: str | None
    """Why the last attempt failed."""


class ExitJson(msgspec.Struct):
    """How the process ended."""

    code: int | None
    signal: str | None
    core: bool
    stderr: Sequence[str]
    time: str | None


class RunJson(msgspec.Struct, kw_only=True):
    """A run: one object of ``jobs --json``, or of the list of them."""

    run: str
    name: str
    tags: Sequence[str]
    attempt: int
    attempts: int
    state: str
    created: str | None
    last: str | None
    process: int
    jobs: list[JobJson]
    progress: list[ProgressJson]
    emitted: int
    delivered: int
    withheld: int
    pending: int
    dropped: int
    dropped_by_reason: Mapping[str, int]
    failure: str | None
    signals: Mapping[str, AccountJson]
    exit: ExitJson | None
    folders: list[str]


def as_json(found: Overview | Sequence[Overview]) -> str:
    """Return one run, or a list of them, as JSON."""
    values = _run(found) if isinstance(found, Overview) else [_run(one) for one in found]
    return msgspec.json.format(msgspec.json.encode(clean(msgspec.to_builtins(values))), indent=2).decode()


def _run(one: Overview) -> RunJson:
    ended = one.exit
    return RunJson(
        run=one.folders[0].name,
        name=one.name,
        tags=one.tags,
        attempt=one.attempt,
        attempts=one.attempts,
        state=str(one.state),
        created=iso_time(int(one.run.created * 1e9)),
        last=iso_time(one.last) if one.last else None,
        process=one.run.process,
        jobs=[_job(job) for job in one.jobs],
        progress=[_progress(each) for each in one.progress],
        signals={signal: AccountJson(**_account(account)) for signal, account in one.by_signal.items()},
        exit=None
        if ended is None
        else ExitJson(ended.code, ended.signal or None, ended.core, ended.stderr, iso_time(int(ended.time * 1e9))),
        folders=[str(folder) for folder in one.folders],
        **_account(one.account),
    )


def _job(job: JobOverview) -> JobJson:
    return JobJson(
        job_id=job.id,
        action=job.action,
        plugin=job.plugin,
        version=job.version or None,
        category=job.category,
        name=job.name or None,
        tags=job.tags,
        notes=job.notes or None,
        trial=job.trial or None,
        trace_id=job.trace_id or None,
        state=str(job.state),
        started=iso_time(job.start),
        ended=iso_time(job.end) if job.end else None,
        duration_seconds=max(job.end - job.start, 0) / 1e9 if job.end else None,
        result=job.result or None,
        error_type=job.error_type or None,
    )


def _progress(one: CategoryProgress) -> ProgressJson:
    return ProgressJson(
        category=one.category or None,
        current=one.progress.current,
        limit=one.progress.limit,
        time=iso_time(one.progress.time),
        eta_seconds=one.progress.eta_seconds,
        workers=[WorkerJson(each.worker, each.progress.current, each.progress.limit) for each in one.workers],
    )


def _account(account: Account) -> dict[str, Any]:
    return {
        "emitted": account.emitted,
        "delivered": account.delivered,
        "withheld": account.withheld,
        "pending": account.pending,
        "dropped": account.lost,
        "dropped_by_reason": account.dropped,
        "failure": account.failure or None,
    }
