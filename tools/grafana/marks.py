"""Marks in the curves of a job, at the times of its log records."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery

from synapse_otel.signals import semconv
from synapse_otel.signals.levels import LEVELS
from tools.grafana import looks, names
from tools.grafana.queries import field, logs, series, shown, written
from tools.grafana.sources import LOKI, PROMETHEUS

_WARN = LEVELS["warning"].severity.value


def warnings(of_job: str) -> AnnotationQuery:
    """Return marks for what warns or worse."""
    return _marks(
        "Warnings and errors", logs(of_job, f"{names.SEVERITY_NUMBER} >= {_WARN}"), looks.ORANGE, enabled=True
    )


def events(of_job: str) -> AnnotationQuery:
    """Return marks for the plugin's own events; a user switches them on."""
    ours = "|".join(event.name for event in semconv.EVENTS if "<" not in event.name)
    own = logs(of_job, field(names.EVENT_FIELD, "", "!="), field(names.EVENT_FIELD, ours, "!~"))
    return _marks("Events", f'{own} | line_format "{written(names.EVENT_FIELD)}"', looks.BLUE, enabled=False)


def alerts(matcher: str) -> AnnotationQuery:
    """Return marks for the time that an alert on the job fires."""
    firing = series(names.ALERTS, names.FIRING, matcher)
    return (
        AnnotationQuery()
        .name("Alerts")
        .datasource(PROMETHEUS)
        .expr(firing)
        .step("60s")
        .title_format(shown(names.ALERT))
        .icon_color(looks.RED)
        .enable(looks.ON)
        .hide(looks.OFF)
    )


def _marks(name: str, expression: str, colour: str, *, enabled: bool) -> AnnotationQuery:
    return (
        AnnotationQuery()
        .name(name)
        .datasource(LOKI)
        .expr(expression)
        .icon_color(colour)
        .enable(enabled)
        .hide(looks.OFF)
    )
