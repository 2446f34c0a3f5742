"""The data sources that every Grafana has, and queries for each; that of the log store is in `log_store`."""

from __future__ import annotations

from typing import Any, Final, Self

from grafana_foundation_sdk.builders import prometheus as prometheus_builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

PROMETHEUS: Final = DataSourceRef(type_val="prometheus", uid="prometheus")
JAEGER: Final = DataSourceRef(type_val="jaeger", uid="jaeger")

Query = Builder[Dataquery]

TRACES: Final = 20


def over_time(expression: str, legend: str, ref: str = "A") -> Query:
    """Return a PromQL query with a value for each step of the time range."""
    return _prometheus(expression, ref).range().legend_format(legend)


def with_exemplars(expression: str, legend: str, ref: str = "A") -> Query:
    """Return the same with the exemplars of the series that it names: single values that lead to their traces."""
    return _prometheus(expression, ref).range().legend_format(legend).exemplar(exemplar=True)


def at_the_end(expression: str, legend: str = "__auto", ref: str = "A") -> Query:
    """Return a PromQL query for one moment, the end of the time range; of a range selector: each of its samples."""
    return _prometheus(expression, ref).instant().legend_format(legend)


def as_table(expression: str, ref: str = "A") -> Query:
    """Return a PromQL query for one moment with a column for each label."""
    return _prometheus(expression, ref).instant().format(PromQueryFormat.TABLE)


def as_buckets(expression: str, ref: str = "A") -> Query:
    """Return a PromQL query for one moment whose cumulative buckets Grafana takes apart: it sorts them by name."""
    return _prometheus(expression, ref).instant().format(PromQueryFormat.HEATMAP).legend_format("{{le}}")


def _prometheus(expression: str, ref: str) -> prometheus_builders.Dataquery:
    query = prometheus_builders.Dataquery().expr(expression).ref_id(ref)
    return query.datasource(PROMETHEUS).editor_mode(QueryEditorMode.CODE)


class Untyped(Dataquery):
    """A query for a data source that Grafana's SDK has no type for."""

    def __init__(self, fields: dict[str, object]) -> None:
        self.fields = fields

    def to_json(self) -> dict[str, object]:
        """Return it as a panel's JSON has it."""
        return self.fields

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Return the query of a panel's JSON."""
        return cls(data)


class _Built(Builder[Dataquery]):
    def __init__(self, query: Dataquery) -> None:
        self._query = query

    def build(self) -> Dataquery:
        return self._query


def untyped(source: DataSourceRef, ref: str, **fields: object) -> Query:
    """Return a query with the fields that the data source has for it."""
    datasource = {"type": source.type_val, "uid": source.uid}
    return _Built(Untyped({"datasource": datasource, "refId": ref, **fields}))


def traces(service: str, tags: str, ref: str = "A") -> Query:
    """Return a search for the traces of a service; `tags` are in logfmt."""
    return untyped(JAEGER, ref, limit=TRACES, queryType="search", service=service, tags=tags)
