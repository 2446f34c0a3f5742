"""`SavedRun`: a run that was recorded on this machine."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from synapse_otel import semconv
from synapse_otel._card import Bar, card
from synapse_otel.read.parts import IncompleteWarning, Message, Metric
from synapse_otel.read.run_table import RunTable, records_table
from synapse_otel.redaction import redact_text
from synapse_otel.runs import JobOverview, LogKind, Overview, Role, Span
from synapse_otel.runs.entries import data_of
from synapse_otel.runs.live.followed_run import FollowedRun
from synapse_otel.runs.live.log_records import text_of
from synapse_otel.runs.live.samples import Samples
from synapse_otel.runs.live.tables import params_of
from synapse_otel.runs.recording import span_tree
from synapse_otel.ui.formats import clock, duration, number

_KINDS: Final = list(LogKind)
_SHOWN: Final = 30
"""Rows of each sort in a notebook."""


class _Known(NamedTuple):
    """What is kept of the records when they are not."""

    missing: int
    gone: list[str]
    last_values: dict[str, float]

    @classmethod
    def of(cls, found: FollowedRun) -> Self:
        """Return what is to be kept of a run's records."""
        latest = {key: max(series, key=lambda one: one.times[-1]) for key, series in _curves(found).items()}
        last_values = {".".join(filter(None, key)): series.values[-1] for key, series in latest.items()}
        return cls(found.missing, found.gone, last_values)


class SavedRun:
    """A run that was recorded on this machine.

    What is known of it as a whole is read at once; its records are read when `metrics`, `messages` or `spans` are first
    asked for, and are then kept in memory.
    It is what was there when it was read: of a run that lives, call `run` or `runs` again.
    """

    def __init__(self, overview: Overview) -> None:
        self._overview = overview
        self._found: FollowedRun | None = None
        self._roots: list[Span] | None = None
        self._known: _Known | None = None

    def __repr__(self) -> str:
        result = f", {self.result}" if self.result else ""
        return f"<SavedRun {self.name!r}: {self.action} {self.plugin}, {self.state}{result}>"

    # --- the whole ----------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """Its id, as every RUN argument takes it: the name of its folder."""
        return self._overview.folders[0].name

    @property
    def folders(self) -> list[Path]:
        """The folders of its journals, that of the process that began it first."""
        return list(self._overview.folders)

    @property
    def name(self) -> str:
        """What it is called."""
        return redact_text(self._overview.name)

    @property
    def tags(self) -> list[str]:
        """Its tags."""
        return [redact_text(tag) for tag in self._overview.tags]

    @property
    def notes(self) -> str:
        """Notes about it; empty if there are none."""
        return redact_text(self._job.notes) if self._job else ""

    @property
    def action(self) -> str:
        """Action of its job; empty without a job."""
        return self._job.action if self._job else ""

    @property
    def plugin(self) -> str:
        """Plugin of its job; empty without a job."""
        return self._job.plugin if self._job else ""

    @property
    def version(self) -> str:
        """Version of the plugin; empty if unknown."""
        return self._job.version if self._job else ""

    @property
    def job_id(self) -> str:
        """Id that the platform gave its job; empty if it gave none."""
        return self._job.id if self._job else ""

    @property
    def trace_id(self) -> str:
        """Id of its trace, 32 hexadecimal digits; empty without a job."""
        return self._job.trace_id if self._job else ""

    @property
    def params(self) -> dict[str, Any]:
        """Parameters of its job, nested names joined with dots."""
        return dict(params_of(self._overview))

    @property
    def state(self) -> str:
        """``live``, ``stalled``, ``crashed`` or ``done``."""
        return str(self._overview.state)

    @property
    def result(self) -> str:
        """How its job ended, in the words of `synapse.job.result`, such as ``success``; empty while it runs."""
        return self._job.result if self._job else ""

    @property
    def error_type(self) -> str:
        """What ended the job: the class of an exception, a signal; empty without an error."""
        return self._job.error_type if self._job else ""

    @property
    def start(self) -> int:
        """When it began, as Unix time in ns."""
        return self._overview.start

    @property
    def end(self) -> int | None:
        """When it ended, as Unix time in ns; of a killed run, the last thing that is known of it. None: it runs."""
        return self._overview.end or None

    @property
    def seconds(self) -> float:
        """How long it took, in seconds; of one that runs, until its last record."""
        return max((self._overview.end or self._overview.last) - self.start, 0) / 1e9

    @property
    def progress(self) -> dict[str, float]:
        """The last progress of each category, 0 to 1; that of the whole job under the empty name."""
        return {redact_text(one.category): one.progress.ratio for one in self._overview.progress}

    # --- the records --------------------------------------------------------------------------------

    @property
    def missing(self) -> int:
        """How many records cannot be read any more: removed after delivery, evicted for disk space, or damaged."""
        return self._facts().missing

    @property
    def incomplete(self) -> list[str]:
        """What of it cannot be read any more, in words; empty if it is complete."""
        return list(self._facts().gone)

    def metrics(self) -> dict[tuple[str, str], Metric]:
        """Return the plugin's metrics by category and name; the category is empty for a metric without one.

        Raises:
            OSError: a journal cannot be read.
        """
        return {key: Metric.of(series) for key, series in _curves(self._read()).items()}

    def messages(self) -> list[Message]:
        """Return the log records: messages, events, exceptions, lines of logging; in the order of recording.

        Raises:
            OSError: a journal cannot be read.
        """
        return list(_messages(self._read()))

    def spans(self) -> list[Span]:
        """Return the spans without a parent in this run, each with its ``children``: jobs, their steps, others.

        Raises:
            OSError: a journal cannot be read.
        """
        if self._roots is None:
            spans = self._read().spans.values()
            self._roots = span_tree([span for span in spans if span.role is not Role.MARKER])
        return self._roots

    def table(self, of: str = "metrics") -> RunTable:
        """Return its ``metrics``, ``messages`` or ``spans`` as a table: a row for each sample, log record or span.

        Raises:
            ValueError: ``of`` is something else.
            OSError: a journal cannot be read.
        """
        with self.records() as found:
            return records_table(of, [(found, ())])

    def to_pandas(self, of: str = "metrics") -> Any:
        """Return its ``metrics``, ``messages`` or ``spans`` as a ``pandas.DataFrame``: see `table`."""
        return self.table(of).to_pandas()

    def to_polars(self, of: str = "metrics") -> Any:
        """Return its ``metrics``, ``messages`` or ``spans`` as a ``polars.DataFrame``: see `table`."""
        return self.table(of).to_polars()

    def last_values(self) -> dict[str, float]:
        """Return the last value of each metric, by ``category.name``; the records are not kept in memory."""
        return dict(self._facts().last_values)

    @property
    def overview(self) -> Overview:
        """What is known without the records, in the library's own terms; it may change with any version."""
        return self._overview

    @contextmanager
    def records(self) -> Iterator[FollowedRun]:
        """Give the records in the library's own terms, for as long as needed; they may change with any version."""
        if self._found is not None:
            yield self._found
            return
        with closing(FollowedRun(self.folders)) as found:
            found.refresh()
            if self._known is None:
                self._known = _Known.of(found)
                if self._known.gone:
                    text = f"{self.id} is incomplete: {'; '.join(self._known.gone)}"
                    warnings.warn(text, IncompleteWarning, stacklevel=5)  # who called a method
            yield found

    @property
    def _job(self) -> JobOverview | None:
        return self._overview.job

    def _read(self) -> FollowedRun:
        if self._found is None:
            with self.records() as found:
                self._found = found
        return self._found

    def _facts(self) -> _Known:
        if self._known is None:
            with self.records() as found:
                self._known = self._known or _Known.of(found)
        return self._known

    # --- in a notebook ------------------------------------------------------------------------------

    def _repr_html_(self) -> str:
        """Show it in a notebook: state, progress, parameters, last values."""
        result = f" ({self.result})" if self.result else ""
        facts = {
            "job": " ".join(filter(None, (self.action, self.plugin, self.version))),
            "state": f"{self.state}{result}",
            "error": self.error_type,
            "began": f"{clock(self.start)}, {duration(self.seconds)}",
            "tags": ", ".join(self.tags),
            "notes": self.notes,
            "incomplete": "; ".join(self.incomplete),
            **{f"params.{name}": str(value) for name, value in list(self.params.items())[:_SHOWN]},
        }
        bars = [Bar(name or "whole job", ratio) for name, ratio in self.progress.items()]
        values = {name: number(value) for name, value in list(self.last_values().items())[:_SHOWN]}
        return card(self.name, facts, bars[:_SHOWN], values)


def _curves(found: FollowedRun) -> dict[tuple[str, str], list[Samples]]:
    """Return the plugin's own series by category and name."""
    curves: dict[tuple[str, str], list[Samples]] = {}
    for series in found.series:
        if series.name == semconv.JOB_METRIC.name and len(series):
            curves.setdefault((series.category, series.metric), []).append(series)
    return curves


def _messages(found: FollowedRun) -> Iterator[Message]:
    logs = found.logs
    for at in range(len(logs)):
        body, attributes, event, span = logs.whole(at)
        kind = _KINDS[logs.kinds[at]]
        yield Message(
            time=logs.times[at],
            severity=logs.severities[at],
            kind=str(kind),
            context=str(attributes.get(semconv.MESSAGE_CONTEXT, "")),
            category=logs.names[logs.categories[at]],
            event=event,
            text=text_of(kind, body, attributes),
            data=data_of(attributes),
            attributes=attributes,
            span_id=span[16:24].hex(),
        )
