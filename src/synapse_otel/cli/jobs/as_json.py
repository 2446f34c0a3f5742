"""Runs as JSON, for programs: the names of fields stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from synapse_otel.journal.account import Account
from synapse_otel.journal.frames import clean
from synapse_otel.runs import CategoryProgress, JobOverview, Overview
from synapse_otel.runs.entries import iso_time


def as_json(found: Overview | Sequence[Overview]) -> str:
    """Return one run, or a list of them, as JSON."""
    values = _run(found) if isinstance(found, Overview) else [_run(one) for one in found]
    return msgspec.json.format(msgspec.json.encode(clean(values)), indent=2).decode()


def _run(one: Overview) -> dict[str, Any]:
    return {
        "run": one.folders[0].name,
        "name": one.name,
        "tags": one.tags,
        "attempt": one.attempt,
        "attempts": one.attempts,
        "state": str(one.state),
        "created": iso_time(int(one.run.created * 1e9)),
        "last": iso_time(one.last) if one.last else None,
        "process": one.run.process,
        "jobs": [_job(job) for job in one.jobs],
        "progress": [_progress(each) for each in one.progress],
        **_account(one.account),
        "signals": {signal: _account(account) for signal, account in one.by_signal.items()},
        "exit": None
        if one.exit is None
        else {
            "code": one.exit.code,
            "signal": one.exit.signal or None,
            "core": one.exit.core,
            "stderr": one.exit.stderr,
            "time": iso_time(int(one.exit.time * 1e9)),
        },
        "folders": [str(folder) for folder in one.folders],
    }


def _job(job: JobOverview) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "action": job.action,
        "plugin": job.plugin,
        "version": job.version or None,
        "category": job.category,
        "name": job.name or None,
        "tags": job.tags,
        "notes": job.notes or None,
        "trial": job.trial or None,
        "trace_id": job.trace_id or None,
        "state": str(job.state),
        "started": iso_time(job.start),
        "ended": iso_time(job.end) if job.end else None,
        "duration_seconds": max(job.end - job.start, 0) / 1e9 if job.end else None,
        "result": job.result or None,
        "error_type": job.error_type or None,
    }


def _progress(one: CategoryProgress) -> dict[str, Any]:
    return {
        "category": one.category or None,
        "current": one.progress.current,
        "limit": one.progress.limit,
        "time": iso_time(one.progress.time),
        "eta_seconds": one.progress.eta_seconds,
        "workers": [
            {"worker": each.worker, "current": each.progress.current, "limit": each.progress.limit}
            for each in one.workers
        ],
    }


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
