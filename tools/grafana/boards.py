"""A whole dashboard: its variables, its panels in rows, and the ways to the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard as DashboardBuilder
from grafana_foundation_sdk.builders.dashboard import DashboardLink, Row
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    Panel,
    RowPanel,
    VariableModel,
)

from tools.grafana.looks import OFF, ON

TAG: Final = "synapse-otel"
Section = tuple[str, Sequence[Builder[Panel]]]
"""Title of a row, and its panels from left to right, line by line."""


def board(
    uid: str,
    title: str,
    description: str,
    variables: Sequence[Builder[VariableModel]],
    sections: Sequence[Section],
    *,
    marks: Sequence[Builder[AnnotationQuery]] = (),
    since: str,
    refresh: str,
) -> Dashboard:
    """Return a dashboard that shows the time since `since`, such as `now-6h`, and renews itself each `refresh`."""
    builder = (
        DashboardBuilder(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .time(since, "now")
        .timezone("browser")
        .refresh(refresh)
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .variables(list(variables))
        .annotations(list(marks))
        .link(_others())
    )
    for name, panels in sections:
        builder = builder.with_row(Row(name))
        for panel in panels:
            builder = builder.with_panel(panel)
    built = builder.build()
    for number, each in enumerate(built.panels or [], start=1):
        each.id_val = number
    return built


def panels_of(dashboard: Dashboard) -> Iterator[Panel]:
    """Yield a dashboard's panels, without the rows' headings."""
    for panel in dashboard.panels or []:
        if not isinstance(panel, RowPanel):
            yield panel


def _others() -> DashboardLink:
    link = DashboardLink("synapse-otel").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.as_dropdown(OFF).keep_time(ON).include_vars(ON)
