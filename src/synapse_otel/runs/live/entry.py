"""A run as a row of the list: plain values for JSON, times in Unix milliseconds."""

from __future__ import annotations

import math
import re
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from synapse_otel import semconv
from synapse_otel.journal.folder import Exit
from synapse_otel.journal.frames import FORMAT_VERSION
from synapse_otel.redaction import redact_text
from synapse_otel.runs import CategoryProgress, JobOverview, Overview, RunState

UNREADABLE: Final = "unreadable"
"""State of a run's folder that cannot be read."""
LONGEST_TEXT: Final = 20_000
"""Characters of a text that are sent to the page; no recorder writes longer ones."""
FROM_FILE: Final = re.compile(r"otlp file, (?P<left_out>\d+) lines left out")
"""Destination of a journal that was rebuilt from a file."""
Json = dict[str, Any]
TONES: Final = {RunState.LIVE: "live", RunState.STALLED: "warn", RunState.CRASHED: "bad"}
_ENDS: Final = {
    "": ("done", "good"),
    semconv.RESULT_SUCCESS: ("done", "good"),
    semconv.RESULT_SKIP: ("skipped", "muted"),
    semconv.RESULT_CANCELLATION: ("cancelled", "warn"),
    semconv.RESULT_FAILURE: ("failed", "bad"),
}


def run_id(folder: Path) -> str:
    """Return the page's id of a run: its folder's name as valid text."""
    return plain_path(folder.name)


def plain_path(path: object) -> str:
    """Return a path as text that can be sent: names on the disk need not be UTF-8."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def row_of(one: Overview) -> Json:
    """Return the line of a run."""
    job = one.job
    notes = []
    if one.version > FORMAT_VERSION:
        notes.append(f"written by a newer synapse-otel (format {one.version}, this version reads {FORMAT_VERSION})")
    if from_file := FROM_FILE.fullmatch(one.run.destination):
        left_out = int(from_file["left_out"])
        notes.append("read from a file of OTLP, which has no delivery account")
        notes += [f"{left_out:,} lines of the file are damaged or not OTLP, and skipped"] if left_out else []
    result = job.result if job else ""
    word, tone = _verdict(one.state, result)
    return {
        "id": run_id(one.folders[0]),
        "name": redact_text(one.title),
        "tags": [redact_text(tag) for tag in one.tags],
        "state": str(one.state),
        "word": word,
        "tone": tone,
        "result": result,
        "error": job.error_type if job else "",
        "action": job.action if job else "",
        "plugin": job.plugin if job else "",
        "version": job.version if job else "",
        "job": job.id if job else "",
        "jobs": len(one.jobs),
        "attempts": [],
        "start": milliseconds(one.start),
        "end": milliseconds(one.end) if one.end else None,
        "last": milliseconds(one.last),
        "progress": progress_of(one.overall) if one.overall else None,
        "emitted": one.account.emitted,
        "delivered": one.account.delivered,
        "pending": one.account.pending,
        "dropped": one.account.lost,
        "notes": notes,
        "revision": redact_text(one.revision),
        "host": redact_text(one.host),
        "params": plain(job.params) if job else {},
        "metrics": {},
        "used": {},
    }


def unreadable_row(folder: Path, why: str) -> Json:
    """Return the line of a run that cannot be read."""
    return {
        "id": run_id(folder),
        "name": run_id(folder),
        "tags": [],
        "state": UNREADABLE, "word": UNREADABLE, "tone": "warn",
        "result": "", "error": "", "action": "", "plugin": "", "version": "", "job": "", "jobs": 0, "attempts": [],
        "start": _made(folder), "end": None, "last": _made(folder), "progress": None,
        "emitted": 0, "delivered": 0, "pending": 0, "dropped": 0,
        "notes": [why], "revision": "", "host": "", "params": {}, "metrics": {}, "used": {},
    }  # fmt: skip


def _verdict(state: RunState, result: str) -> tuple[str, str]:
    """Return the state of a run in one word (for a done run, the job's result), and its colour."""
    if state is not RunState.DONE:
        return str(state), TONES[state]
    return _ENDS.get(result, (result, "bad"))


def job_of(job: JobOverview) -> Json:
    """Return one of the jobs of a run."""
    return {
        "id": job.id,
        "name": redact_text(job.name),
        "notes": redact_text(job.notes),
        "action": job.action,
        "plugin": job.plugin,
        "version": job.version,
        "category": job.category,
        "trace": job.trace_id,
        "start": milliseconds(job.start),
        "end": milliseconds(job.end) if job.end else None,
        "result": job.result,
        "error": job.error_type,
    }


def progress_of(one: CategoryProgress) -> Json:
    """Return the last progress of a category, its rate in items a second."""
    progress = one.progress
    return {
        "category": redact_text(one.category),
        "worker": redact_text(one.worker),
        "current": finite(progress.current),
        "limit": finite(progress.limit),
        "ratio": finite(progress.ratio) if progress.limit else None,
        "rate": finite(progress.rate),
        "eta": finite(progress.eta_seconds) if progress.limit else None,
        "time": milliseconds(progress.time),
        "start": milliseconds(progress.start_time),
        "items": finite(progress.items),
    }


def exit_of(ended: Exit | None) -> Json | None:
    """Return how the process ended, if its parent reported it."""
    if ended is None:
        return None
    stderr = [redact_text(line) for line in ended.stderr]
    return {"code": ended.code, "signal": ended.signal, "core": ended.core, "stderr": stderr}


def milliseconds(nanoseconds: int) -> float:
    """Return a time as JavaScript has it."""
    return nanoseconds / 1e6


def finite(number: float | None) -> float | None:
    """Return a number that is valid in JSON."""
    return number if number is not None and math.isfinite(number) else None


def plain(value: Any) -> Any:
    """Return an attribute's value as it is shown: numbers that JavaScript would round, as texts."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, int):
        return value if abs(value) < 1 << 53 else str(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return str(value)[:LONGEST_TEXT]


def _made(folder: Path) -> float:
    """Return when a folder was made, as its name says, else when it was changed; 0 if neither is known."""
    try:
        return datetime.strptime(folder.name.partition("-")[0], "%Y%m%dT%H%M%S%z").timestamp() * 1000
    except ValueError:
        pass
    try:
        return folder.stat().st_mtime * 1000
    except OSError:
        return 0.0  # gone, or another user's: then it is the oldest
