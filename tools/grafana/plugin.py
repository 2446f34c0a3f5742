"""The dashboard Plugin: its versions side by side, what fails, which step takes the time, where its metrics end."""

from __future__ import annotations

from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.models.dashboard import Dashboard

from synapse_otel import semconv
from tools.grafana import looks, names, panels, tables, variables
from tools.grafana.boards import Section, board
from tools.grafana.links import PLUGIN
from tools.grafana.log_store import LogStore, finished
from tools.grafana.queries import (
    ONE_PLUGIN,
    RATE,
    ended,
    failure_share,
    grown,
    last,
    mean,
    quantile,
    series,
    shown,
    total,
)
from tools.grafana.sources import as_table, at_the_end, with_exemplars

OF_VERSIONS = f'{ONE_PLUGIN}, {names.VERSION}=~"$version"'
VERSION = shown(names.VERSION)
IN_STEP = f"{names.STEP}, {names.VERSION}"
STEP_FAILED = f'{names.STEP_RESULT}=~"{semconv.RESULT_FAILURE}|{semconv.RESULT_ERROR}|{semconv.RESULT_TIMEOUT}"'


def dashboard(store: LogStore) -> Dashboard:
    """Return the dashboard."""
    return board(
        PLUGIN,
        "Synapse: plugin",
        "One plugin: its versions compared by failures, durations, steps and the last values of their metrics.",
        [
            variables.tenant(),
            variables.action(),
            variables.plugin(),
            variables.versions(),
            variables.metrics(OF_VERSIONS),
            variables.service(ONE_PLUGIN),
        ],
        [_versions(store), _steps(), _failures(store)],
        since="now-7d",
        refresh="1m",
    )


def _finished(store: LogStore, *parts: str) -> str:
    chosen = (store.chosen(semconv.PLUGIN_NAME, "plugin"), store.among(semconv.SERVICE_VERSION, "version"))
    return finished(store, *chosen, *parts)


def _versions(store: LogStore) -> Section:
    metric = last(series(names.name(semconv.JOB_METRIC), OF_VERSIONS, f'{names.METRIC}=~"$metric"'))
    success = f'{names.RESULT}="{semconv.RESULT_SUCCESS}"'
    succeeded = last(series(names.count(semconv.JOB_DURATION), OF_VERSIONS, success))
    reached = f"{metric} and on ({names.INSTANCE}) {succeeded}"
    median = quantile(0.5, semconv.JOB_DURATION, names.VERSION, OF_VERSIONS, window=RATE)
    return "Versions", [
        _compared(),
        panels.results(
            "Jobs of the chosen versions at the time they ended. A red hill that begins with a version is its own.",
            store.over_time(_finished(store), semconv.JOB_RESULT),
            store.source,
        ),
        panels.curves(
            "How long jobs took",
            "Half of the jobs that ended about a time took up to so long. A diamond is a single job; a click on "
            "it leads to its trace.",
            [with_exemplars(median, VERSION)],
            unit="s",
        ),
        panels.gauges(
            "Metrics at the end, by version",
            "The last value of each metric, averaged over the version's jobs that succeeded. Choose one metric "
            "above to compare a version's quality with the one before it.",
            [at_the_end(f"avg by ({names.METRIC}, {names.VERSION}) ({reached})", f"{shown(names.METRIC)}, {VERSION}")],
            unit="none",
        ).span(looks.WIDTH),
    ]


def _compared() -> Table:
    by = names.VERSION
    panel = tables.rows(
        "Versions compared",
        "Jobs that ended within the time range. A newer version that fails more, or takes longer, than the one "
        "before: roll it back, and read Failures below.",
        [
            as_table(ended(by, OF_VERSIONS), "A"),
            as_table(failure_share(by, OF_VERSIONS), "B"),
            as_table(quantile(0.5, semconv.JOB_DURATION, by, OF_VERSIONS), "C"),
            as_table(quantile(0.9, semconv.JOB_DURATION, by, OF_VERSIONS), "D"),
            as_table(mean(semconv.JOB_DURATION, by, OF_VERSIONS), "F"),
            as_table(total(by, series(names.name(semconv.JOB_ACTIVE), OF_VERSIONS)), "E"),
        ],
    )
    titles = {
        by: "Version",
        "Value #A": "Ended",
        "Value #B": "Failed",
        "Value #F": "Took on average",
        "Value #C": "Half took up to",
        "Value #D": "Nine of ten took up to",
        "Value #E": "Running now",
    }
    panel = tables.merged(panel, titles).height(7)
    panel = tables.column(panel, "Ended", unit="short", decimals=0)
    panel = tables.column(panel, "Failed", unit="percentunit", steps=looks.SHARE_FAILED)
    panel = tables.column(panel, "Took on average", unit="s")
    panel = tables.column(panel, "Half took up to", unit="s")
    panel = tables.column(panel, "Nine of ten took up to", unit="s")
    return tables.column(panel, "Running now", unit="short", decimals=0)


def _steps() -> Section:
    counted = total(IN_STEP, grown(series(names.count(semconv.STEP_DURATION), OF_VERSIONS)))
    failed = total(IN_STEP, grown(series(names.count(semconv.STEP_DURATION), OF_VERSIONS, STEP_FAILED)))
    return "Steps", [
        panels.gauges(
            "Mean duration of a step, by version",
            "Where a job's time goes, and whether a version has made a step slower.",
            [at_the_end(mean(semconv.STEP_DURATION, IN_STEP, OF_VERSIONS), f"{shown(names.STEP)}, {VERSION}")],
            unit="s",
        ),
        panels.gauges(
            "Failed steps, by version",
            "Share of a step's runs that failed. The step that fails in one version only is where to look first.",
            [at_the_end(f"({failed} or 0 * {counted}) / {counted}", f"{shown(names.STEP)}, {VERSION}")],
            unit="percentunit",
            steps=looks.SHARE_FAILED,
        ).max(1),
    ]


def _failures(store: LogStore) -> Section:
    job, version, kind, message = map(
        store.written,
        (semconv.JOB_ID, semconv.SERVICE_VERSION, semconv.EXCEPTION_TYPE, semconv.EXCEPTION_MESSAGE),
    )
    exceptions = store.records(
        store.event(semconv.EVENT_EXCEPTION),
        store.among(semconv.TENANT, "tenant"),
        store.chosen(semconv.SERVICE_NAME, "service"),
        store.among(semconv.SERVICE_VERSION, "version"),
        store.line(f"{job} ({version}): {kind}: {message}"),
    )
    errors = _finished(store, store.present(semconv.ERROR_TYPE))
    return "Failures", [
        panels.gauges(
            "Errors, by type and version",
            "Jobs that ended with an error, by its type: the exception's class, the signal, or `killed`.",
            [store.at_the_end(errors, semconv.ERROR_TYPE, semconv.SERVICE_VERSION)],
            steps=((None, looks.RED),),
        )
        .datasource(store.source)
        .decimals(0)
        .span(8)
        .height(10),
        panels.lines(
            "Exceptions",
            "What left jobs and steps of the chosen versions, the newest first. Open one for its stack and its trace.",
            store.lines(exceptions),
            store.source,
        ).span(16),
    ]
