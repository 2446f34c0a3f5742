"""Marks in the curves of a job, at the times of its log records."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery

from synapse_otel import semconv
from synapse_otel.mapping.levels import LEVELS
from tools.grafana import looks, names
from tools.grafana.log_store import EVENT, SEVERITY_NUMBER, LogStore
from tools.grafana.queries import series, shown
from tools.grafana.sources import PROMETHEUS

_WARN = LEVELS["warning"].severity.value


def warnings(store: LogStore, of_job: str) -> AnnotationQuery:
    """Return marks for what warns or worse."""
    warned = store.records(of_job, store.at_least(SEVERITY_NUMBER, _WARN))
    return _named(store.marks(warned), "Warnings and errors", looks.ORANGE, enabled=True)


def events(store: LogStore, of_job: str) -> AnnotationQuery:
    """Return marks for the plugin's own events; a user switches them on."""
    ours = [event.name for event in semconv.EVENTS if "<" not in event.name]
    own = store.records(of_job, store.present(EVENT), store.none_of(EVENT, ours), store.line(store.written(EVENT)))
    return _named(store.marks(own), "Events", looks.BLUE, enabled=False)


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


def _named(marks: AnnotationQuery, name: str, colour: str, *, enabled: bool) -> AnnotationQuery:
    return marks.name(name).icon_color(colour).enable(enabled).hide(looks.OFF)
