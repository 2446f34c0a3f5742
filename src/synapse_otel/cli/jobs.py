"""``synapse-otel jobs``: the runs there are, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from time import time_ns

from synapse_otel.cli.job_details import details
from synapse_otel.cli.job_json import as_json
from synapse_otel.cli.lines import say, tell
from synapse_otel.cli.roots import journal_roots
from synapse_otel.journal.frames import FORMAT_VERSION
from synapse_otel.recording import JobOverview, Overview, find_run, run_groups, same_run
from synapse_otel.report.words import clock, duration, number, printable
from synapse_otel.settings import load_settings

_HEADINGS = (
    "STATE",
    "RESULT",
    "ACTION",
    "PLUGIN",
    "JOB",
    "STARTED",
    "DURATION",
    "PROGRESS",
    "DELIVERED",
    "PENDING",
    "DROPPED",
)
_NUMBERS = {"DURATION", "DELIVERED", "PENDING", "DROPPED"}


def jobs(run: str | None, *, json: bool) -> int:
    """Print the runs, or all about one of them, and return the exit code.

    Args:
        run: the run, as `find_run` takes it; None: a table of all.
        json: print JSON, for programs.

    Raises:
        RunNotFoundError: there is no such run.
        SettingsError: a setting is wrong.
    """
    settings = load_settings()
    roots = journal_roots(settings)
    if run is not None:
        one = Overview.read(same_run(find_run(run, roots), roots), stall_seconds=settings.stall_timeout)
        say(as_json(one) if json else "\n".join(details(one)))
        return 0
    found = list(_overviews(roots, settings.stall_timeout))
    if json:
        say(as_json(found))
    elif found:
        for line in _table(found):
            say(line)
    else:
        say(f"there is no run in {settings.journal_dir}; SYNAPSE_OTEL_JOURNAL_DIR says where to look")
    return 0


def _overviews(roots: list[Path], stall_seconds: float) -> Iterable[Overview]:
    for group in run_groups(roots):
        folder = group[0].folder
        try:
            yield Overview.read([known.folder for known in group], stall_seconds=stall_seconds)
        except (OSError, LookupError) as error:
            if folder.exists():  # and was not deleted since it was listed
                tell(f"{folder.name}: {getattr(error, 'strerror', None) or error}")


def _table(found: list[Overview]) -> Iterable[str]:
    """Yield a heading and a line for each run; nothing is cut, so that a pipe gets all of it."""
    rows = [_HEADINGS, *(_row(one) for one in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            text.rjust(width) if name in _NUMBERS else text.ljust(width)
            for name, text, width in zip(_HEADINGS, row, widths, strict=True)
        )
        yield "  ".join(cells).rstrip()


def _row(one: Overview) -> tuple[str, ...]:
    job, account = one.job, one.account
    start = job.start if job else int(one.run.created * 1e9)
    end = (job.end if job else 0) or (time_ns() if one.state.lives else one.last)
    more = f" +{len(one.jobs) - 1}" if len(one.jobs) > 1 else ""
    newer = "?" if one.version > FORMAT_VERSION else ""
    return (
        one.state + newer,
        _result(job) if job else "",
        printable(job.action) if job else "",
        printable(job.plugin if job else one.run.name),
        printable(job.id if job else "") + more,
        clock(start),
        duration(max(end - start, 0) / 1e9),
        _progress(one),
        f"{account.delivered:,}",
        f"{account.pending:,}",
        f"{account.lost:,}",
    )


def _result(job: JobOverview) -> str:
    return printable(f"{job.result} ({job.error_type})" if job.error_type else job.result)


def _progress(one: Overview) -> str:
    """Return the last progress of the job as a whole, or of the category that moved last."""
    whole = [each for each in one.progress if not each.category]
    last = max(whole or one.progress, key=lambda each: each.progress.time, default=None)
    if last is None:
        return "-"
    counted = f"{number(last.progress.current)}/{number(last.progress.limit)}"
    return f"{last.progress.ratio:.0%} {counted}" + (f" {printable(last.category)}" if last.category else "")
