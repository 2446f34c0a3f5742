"""All about one run, on a few lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import time_ns
from typing import Final

from synapse_otel.cli.jobs.cells import word
from synapse_otel.journal.folder import QUARANTINE_FILE, Exit
from synapse_otel.journal.frames import FORMAT_VERSION
from synapse_otel.runs import CategoryProgress, JobOverview, Overview, RunState
from synapse_otel.ui.formats import clock, duration, number, path, printable

_LABEL: Final = 10
_MOST_CATEGORIES: Final = 12


def details(one: Overview, attempts: Sequence[Overview] = ()) -> Iterator[str]:
    """Yield the details of a run; ``attempts``: all runs of its job, the oldest first."""
    yield _line("run", f"{one.folders[0].name}  {one.state}{_silence(one)}")
    yield _line("name", printable(one.name))
    if one.tags:
        yield _line("tags", printable(", ".join(one.tags)))
    for notes in dict.fromkeys(job.notes for job in one.jobs if job.notes):
        yield from _notes(notes)
    if len(attempts) > 1:
        yield from _attempts(one, attempts)
    for job in one.jobs:
        yield from _job(job)
    if one.exit is not None:
        yield from _exit(one.exit)
    yield from _categories(one.progress)
    yield from _records(one)
    if one.version > FORMAT_VERSION:
        yield _line("format", f"{one.version}, written by a newer synapse-otel; this version reads {FORMAT_VERSION}")
    for folder in one.folders:
        yield _line("files", path(str(folder)))
        quarantine = folder / QUARANTINE_FILE
        if quarantine.is_file():
            records = quarantine.read_bytes().count(b"\n")
            yield _line("invalid", f"{path(str(quarantine))} ({records} records)")


def _notes(notes: str) -> Iterator[str]:
    """Yield notes, the label before their first line."""
    for at, line in enumerate(notes.strip().splitlines()):
        yield _line("" if at else "notes", printable(line)).rstrip()


def _attempts(one: Overview, attempts: Sequence[Overview]) -> Iterator[str]:
    """Yield the runs of a resumed job."""
    yield _line("attempt", f"{one.attempt} of {one.attempts}")
    for other in attempts:
        if other.folders[0] != one.folders[0]:
            yield _line("", f"{other.folders[0].name}  {word(other)}")


def _line(label: str, text: str) -> str:
    return f"{label:<{_LABEL}}{text}"


def _silence(one: Overview) -> str:
    if one.state is not RunState.STALLED:
        return ""
    return f", silent for {duration((time_ns() - one.last) / 1e9)}"


def _job(job: JobOverview) -> Iterator[str]:
    name = printable(f"{job.action} {job.plugin} {job.version}".strip())
    yield _line("job", f"{name}  {printable(job.id)}")
    if job.trace_id:
        yield _line("trace", job.trace_id)
    yield _line("started", clock(job.start))
    if job.end:
        error = f" ({printable(job.error_type)})" if job.error_type else ""
        yield _line("ended", f"{job.result or 'ended'}{error} after {duration(max(job.end - job.start, 0) / 1e9)}")


def _exit(ended: Exit) -> Iterator[str]:
    if how := str(ended):
        yield _line("process", how)
    for text in ended.stderr:
        yield _line("stderr", printable(text))


def _records(one: Overview) -> Iterator[str]:
    yield _line("records", str(one.account))
    for signal, account in one.by_signal.items():
        if account.emitted or account.attempts:
            yield _line(f"  {signal}", str(account))
            if account.withheld:
                yield _line("", f"of them {account.withheld:,} start markers of steps, not sent: the steps had ended")
    for failure in dict.fromkeys(account.failure for account in one.by_signal.values() if account.failure):
        yield _line("failure", printable(failure))


def _categories(found: Sequence[CategoryProgress]) -> Iterator[str]:
    """Yield the job's overall progress, and that of the categories that changed last, in their order."""
    moved = sorted(found, key=lambda each: (not each.category, each.progress.time))[-_MOST_CATEGORIES:]
    for each in found:
        if each in moved:
            yield _line("progress", _progress(each))
    if len(found) > len(moved):
        yield _line("", f"and {len(found) - len(moved):,} categories that moved earlier; --json has them")


def _progress(one: CategoryProgress) -> str:
    progress = one.progress
    words = f"{progress.ratio:.0%}  {number(progress.current)}/{number(progress.limit)}"
    category = f"  {printable(one.category)}" if one.category else ""
    return f"{words}{category}  at {clock(progress.time)}"
