"""VictoriaLogs, whose language is LogsQL. A field keeps its name; one that is missing is the same as an empty one.

Variables have a format of Grafana's own, such as `${tenant:regex}`: what the data source makes of one without a format
depends on its version. A regular expression matches anywhere in a field unless it has anchors. It stands in backquotes,
as its backslashes would be escapes in double quotes. The data source adds the time range to each query.
"""

# ruff: noqa: D102  # LogStore says what each part is

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery
from grafana_foundation_sdk.models.common import DataSourceRef

from synapse_otel import semconv
from tools.grafana.log_store import EVENT, LINES, NAMESPACE, LogStore
from tools.grafana.sources import Query, untyped

STREAM_ACTION: Final = "stream.action"
"""Field of collector/routes.yaml that makes a record's stream, with the service."""
TEXT: Final = "_msg"


class VictoriaLogs(LogStore):
    """Parts of LogsQL."""

    title = "VictoriaLogs"
    source = DataSourceRef(type_val="victoriametrics-logs-datasource", uid="victorialogs")
    dropped = "vl_rows_dropped_total"

    def name(self, field: str) -> str:
        return field

    def records(self, *parts: str) -> str:
        streams = f"{{{STREAM_ACTION}=~{_one_of('action')}}}"
        return " ".join((streams, self.equal(semconv.SERVICE_NAMESPACE, NAMESPACE), *parts))

    def equal(self, field: str, value: str) -> str:
        return f'{field}:="{value}"'

    def chosen(self, field: str, variable: str) -> str:
        return f"{field}:=${{{variable}:doublequote}}"

    def among(self, field: str, variable: str) -> str:
        return f"{field}:~{_one_of(variable)}"

    def present(self, field: str) -> str:
        return f'{field}:!=""'

    def none_of(self, field: str, values: Sequence[str]) -> str:
        listed = ", ".join(f'"{value}"' for value in values)
        return f"!{field}:in({listed})"

    def at_least(self, field: str, number: int) -> str:
        return f"{field}:>={number}"

    def written(self, field: str) -> str:
        return f"<{field}>"

    def line(self, template: str) -> str:
        escaped = template.replace("\n", "\\n")
        return f'| format "{escaped}" as {TEXT}'

    def text_or_event(self) -> str:
        return f'| format if ({TEXT}:="") "{self.written(EVENT)}" as {TEXT}'

    def search(self, variable: str) -> str:
        return f"| filter {TEXT}:~`(?i)${{{variable}:raw}}`"

    def lines(self, records: str, ref: str = "A") -> Query:
        return self._query(f"{records} | sort by (_time) desc", "instant", ref, maxLines=LINES)

    def over_time(self, records: str, *by: str) -> Query:
        return self._query(self._counted(records, by), "statsRange", legendFormat=self.legend(by))

    def at_the_end(self, records: str, *by: str) -> Query:
        return self._query(self._counted(records, by), "stats", legendFormat=self.legend(by))

    def marks(self, records: str) -> AnnotationQuery:
        return AnnotationQuery().datasource(self.source).target(self.lines(records, "Anno"))

    def _counted(self, records: str, by: Sequence[str]) -> str:
        return f"{records} | stats by ({self.names(by)}) count() records"

    def _query(self, expression: str, kind: str, ref: str = "A", **options: object) -> Query:
        return untyped(self.source, ref, expr=expression, queryType=kind, **options)


def _one_of(variable: str) -> str:
    return f"`^(?:${{{variable}:regex}})$`"


VICTORIALOGS: Final = VictoriaLogs()
