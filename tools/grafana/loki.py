"""Loki, whose language is LogQL: for whoever has one. A field is called as Prometheus would call its label."""

# ruff: noqa: D102  # LogStore says what each part is

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from grafana_foundation_sdk.builders import loki
from grafana_foundation_sdk.builders.dashboard import AnnotationQuery
from grafana_foundation_sdk.models.common import DataSourceRef

from synapse_otel import semconv
from synapse_otel.semconv.prometheus import label
from tools.grafana.log_store import EVENT, LINES, NAMESPACE, LogStore
from tools.grafana.queries import INTERVAL, RANGE
from tools.grafana.sources import Query


class Loki(LogStore):
    """Parts of LogQL; of a variable with several values Grafana makes a regular expression."""

    title = "Loki"
    source = DataSourceRef(type_val="loki", uid="loki")

    def name(self, field: str) -> str:
        return label(field)

    def records(self, *parts: str) -> str:
        namespace, action = self.name(semconv.SERVICE_NAMESPACE), self.name(semconv.ACTION)
        return " ".join((f'{{{namespace}="{NAMESPACE}", {action}=~"$action"}}', *parts))

    def equal(self, field: str, value: str) -> str:
        return self._filter(field, "=", value)

    def chosen(self, field: str, variable: str) -> str:
        return self._filter(field, "=", f"${variable}")

    def among(self, field: str, variable: str) -> str:
        return self._filter(field, "=~", f"${variable}")

    def present(self, field: str) -> str:
        return self._filter(field, "!=", "")

    def none_of(self, field: str, values: Sequence[str]) -> str:
        return self._filter(field, "!~", "|".join(values))

    def at_least(self, field: str, number: int) -> str:
        return f"| {self.name(field)} >= {number}"

    def _filter(self, field: str, operator: str, value: str) -> str:
        return f'| {self.name(field)}{operator}"{value}"'

    def written(self, field: str) -> str:
        return f"{{{{.{self.name(field)}}}}}"

    def line(self, template: str) -> str:
        escaped = template.replace("\n", "\\n")
        return f'| line_format "{escaped}"'

    def text_or_event(self) -> str:
        return self.line(f"{{{{if __line__}}}}{{{{__line__}}}}{{{{else}}}}{self.written(EVENT)}{{{{end}}}}")

    def search(self, variable: str) -> str:
        return f'|~ "(?i)${variable}"'

    def lines(self, records: str, ref: str = "A") -> Query:
        return self._query(records, "range").max_lines(LINES).ref_id(ref)

    def over_time(self, records: str, *by: str) -> Query:
        return self._query(self._counted(records, by, INTERVAL), "range").legend_format(self.legend(by))

    def at_the_end(self, records: str, *by: str) -> Query:
        return self._query(self._counted(records, by, RANGE), "instant").legend_format(self.legend(by))

    def marks(self, records: str) -> AnnotationQuery:
        return AnnotationQuery().datasource(self.source).expr(records)

    def _counted(self, records: str, by: Sequence[str], window: str) -> str:
        return f"sum by ({self.names(by)}) (count_over_time({records} [{window}]))"

    def _query(self, expression: str, kind: str) -> loki.Dataquery:
        return loki.Dataquery().expr(expression).ref_id("A").query_type(kind).datasource(self.source)


LOKI: Final = Loki()
