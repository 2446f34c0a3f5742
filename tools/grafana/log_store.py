"""What the dashboards ask of a log store, whichever it is: log records by their fields, as lines, counted, or as marks.

Each part of a query has one form in `victorialogs` and one in `loki`. Fields are named as in `semconv`, or as below.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery
from grafana_foundation_sdk.models.common import DataSourceRef

from synapse_otel import semconv
from tools.grafana.queries import shown
from tools.grafana.sources import Query

NAMESPACE: Final = "synapse"

EVENT: Final = "event_name"
TRACE: Final = "trace_id"
SEVERITY: Final = "severity_text"
SEVERITY_NUMBER: Final = "severity_number"
"""What a record has beside its attributes and its text; both stores call it so."""

LINES: Final = 1000
"""How many records a panel shows at most: the newest."""


class LogStore(ABC):
    """A log store: its data source in Grafana, and the parts of queries in its language."""

    title: str
    source: DataSourceRef
    dropped: str = ""
    """Prometheus' series of the records that it has left out of what it took; empty where it has no such series."""

    @abstractmethod
    def name(self, field: str) -> str:
        """Return what the store calls a field."""

    @abstractmethod
    def records(self, *parts: str) -> str:
        """Return a query for the records of the chosen actions: filters first, then what is done with each record."""

    # --- filters: a variable stands in them by its name

    @abstractmethod
    def equal(self, field: str, value: str) -> str:
        """Let records through whose field has this value."""

    @abstractmethod
    def chosen(self, field: str, variable: str) -> str:
        """Let records through whose field has the one value of a variable."""

    @abstractmethod
    def among(self, field: str, variable: str) -> str:
        """Let records through whose field has a value of a variable; `All` includes records without the field."""

    @abstractmethod
    def present(self, field: str) -> str:
        """Let records through that have a field."""

    @abstractmethod
    def none_of(self, field: str, values: Sequence[str]) -> str:
        """Let records through whose field has none of these values."""

    @abstractmethod
    def at_least(self, field: str, number: int) -> str:
        """Let records through whose field is no smaller number."""

    def event(self, name: str) -> str:
        """Let the events of a name through."""
        return self.equal(EVENT, name)

    # --- what is shown of a record

    @abstractmethod
    def written(self, field: str) -> str:
        """Return what the template of `line` has for the value of a field."""

    @abstractmethod
    def line(self, template: str) -> str:
        """Show a record as a text with fields in it."""

    @abstractmethod
    def text_or_event(self) -> str:
        """Show a record as its text or, where it has none, as the name of its event."""

    @abstractmethod
    def search(self, variable: str) -> str:
        """Let records through whose line has the words, or the regular expression, of a variable."""

    # --- queries of Grafana's

    @abstractmethod
    def lines(self, records: str, ref: str = "A") -> Query:
        """Return a query for the records, the newest first."""

    @abstractmethod
    def over_time(self, records: str, *by: str) -> Query:
        """Return a query for how many there are by some fields, for each step of the time range."""

    @abstractmethod
    def at_the_end(self, records: str, *by: str) -> Query:
        """Return a query for how many there are by some fields in the time range."""

    @abstractmethod
    def marks(self, records: str) -> AnnotationQuery:
        """Return marks at the times of the records."""

    def names(self, fields: Sequence[str]) -> str:
        """Return a list of fields to count by."""
        return ", ".join(map(self.name, fields))

    def legend(self, fields: Sequence[str]) -> str:
        """Return what a legend says of numbers that are counted by some fields."""
        return ", ".join(shown(self.name(field)) for field in fields)


def finished(store: LogStore, *parts: str) -> str:
    """Return a query for the records of the chosen tenants which say that a job has ended."""
    return store.records(store.event(semconv.EVENT_JOB_FINISHED), store.among(semconv.TENANT, "tenant"), *parts)
