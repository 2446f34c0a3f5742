"""The cells of a run in a table."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from time import time_ns
from typing import Final

from synapse_otel.journal.frames import FORMAT_VERSION
from synapse_otel.runs import Overview
from synapse_otel.ui.formats import clock, duration, number, printable

ACCOUNT: Final = 7
"""Rank of the columns of the account, and higher ones."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        text: returns the cell of a run.
        is_number: it is right-aligned.
        easy: width to which it is cut before a column of the account is removed; 0: it is not cut.
        least: width to which it is cut before another column is removed.
        rank: if there is no space, the column with the highest rank is removed.
    """

    text: Callable[[Overview], str]
    is_number: bool = False
    easy: int = 0
    least: int = 0
    rank: int = 0


def word(one: Overview) -> str:
    """Return the result of a run that ended properly, else its state."""
    return one.job.result if one.state == "done" and one.job is not None and one.job.result else str(one.state)


def _state_in_short(one: Overview) -> str:
    error = one.job.error_type if one.job is not None else ""
    return printable(f"{word(one)} {error}".rstrip()) + _newer(one)


def _newer(one: Overview) -> str:
    return "?" if one.version > FORMAT_VERSION else ""


def _result(one: Overview) -> str:
    job = one.job
    if job is None:
        return ""
    return printable(f"{job.result} ({job.error_type})" if job.error_type else job.result)


def _plugin(one: Overview) -> str:
    return printable(one.job.plugin if one.job else one.run.name)


def _name(one: Overview) -> str:
    return printable(one.title)


def _tags(one: Overview) -> str:
    return printable(", ".join(one.tags))


def _attempts(one: Overview) -> str:
    return f"{one.attempt}/{one.attempts}" if one.attempts > 1 else ""


def _id(one: Overview) -> str:
    more = f" +{len(one.jobs) - 1}" if len(one.jobs) > 1 else ""
    return printable(one.job.id if one.job else "") + more


def _started_in_short(one: Overview) -> str:
    """Return the time of a run of today, else its day."""
    date, _, daytime = clock(one.start).partition(" ")
    return daytime if date == time.strftime("%Y-%m-%d") else date


def _duration(one: Overview) -> str:
    end = one.end or (time_ns() if one.state.lives else 0)
    return duration(max(end - one.start, 0) / 1e9)


def _progress_in_short(one: Overview) -> str:
    last = one.overall
    return "-" if last is None else f"{last.progress.ratio:.0%} {printable(last.category)}".rstrip()


def _progress(one: Overview) -> str:
    last = one.overall
    if last is None:
        return "-"
    counted = f"{number(last.progress.current)}/{number(last.progress.limit)}"
    return f"{last.progress.ratio:.0%} {counted}" + (f" {printable(last.category)}" if last.category else "")


def _delivered(one: Overview) -> str:
    return f"{one.account.delivered:,}"


def _pending(one: Overview) -> str:
    return f"{one.account.pending:,}"


def _dropped(one: Overview) -> str:
    return f"{one.account.lost:,}"


WHOLE: Final = {
    "STATE": Column(lambda one: one.state + _newer(one)),
    "RESULT": Column(_result),
    "ACTION": Column(lambda one: printable(one.job.action) if one.job else ""),
    "PLUGIN": Column(_plugin),
    "JOB": Column(_id),
    "STARTED": Column(lambda one: clock(one.start)),
    "DURATION": Column(_duration, is_number=True),
    "PROGRESS": Column(_progress),
    "DELIVERED": Column(_delivered, is_number=True),
    "PENDING": Column(_pending, is_number=True),
    "DROPPED": Column(_dropped, is_number=True),
    "ATTEMPT": Column(_attempts),
    "NAME": Column(_name),
    "TAGS": Column(_tags),
}
FITTED: Final = {
    "STATE": Column(_state_in_short, easy=16, least=8),
    "NAME": Column(_name, easy=20, least=10),
    "ATTEMPT": Column(_attempts, rank=4),
    "TAGS": Column(_tags, easy=12, least=6, rank=4),
    "JOB": Column(_id, easy=13, least=9, rank=ACCOUNT + 2),
    "STARTED": Column(_started_in_short, rank=5),
    "DURATION": Column(_duration, is_number=True, rank=6),
    "PROGRESS": Column(_progress_in_short, easy=13, least=8, rank=3),
    "DELIVERED": Column(_delivered, is_number=True, rank=ACCOUNT + 1),
    "PENDING": Column(_pending, is_number=True, rank=ACCOUNT),
    "DROPPED": Column(_dropped, is_number=True, rank=2),
}
