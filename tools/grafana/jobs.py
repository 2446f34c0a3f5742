"""The dashboard Jobs: what runs, what is in trouble, how it ended, how fast it goes, over all plugins."""

from __future__ import annotations

from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.models.dashboard import Dashboard

from synapse_otel import semconv
from synapse_otel.runs.state import RunState
from tools.grafana import looks, names, panels, tables, variables
from tools.grafana.boards import Section, board
from tools.grafana.links import JOBS, TO_JOB, TO_PLUGIN, TO_TRACE
from tools.grafana.log_store import TRACE, LogStore, finished
from tools.grafana.queries import (
    FLEET,
    ended,
    failure_share,
    grown,
    items_rate,
    last,
    mean,
    named,
    or_none,
    quantile,
    running,
    series,
    shown,
    total,
)
from tools.grafana.sources import as_buckets, as_table, at_the_end, over_time

STATE = names.recorded("synapse:job_state")
KIND = f"{names.PLUGIN}, {names.ACTION}"


def dashboard(store: LogStore) -> Dashboard:
    """Return the dashboard."""
    return board(
        JOBS,
        "Synapse: jobs",
        "All jobs of the chosen tenants, actions and plugins: what runs now, what is in trouble, how jobs ended.",
        [variables.tenant(), variables.action(), variables.plugins()],
        [_now(), _ended(store), _which(store)],
        since="now-6h",
        refresh="30s",
    )


def _in_state(state: RunState) -> str:
    return total("", series(STATE, FLEET, f'{names.STATE}="{state.value}"'))


def _now() -> Section:
    crashes = grown(series(names.name(semconv.JOB_CRASHES), FLEET))
    return "Now", [
        panels.number(
            "Live",
            "Jobs that run and have recorded something or gone ahead lately.",
            at_the_end(or_none(_in_state(RunState.LIVE))),
        ),
        panels.number(
            "Stalled",
            "Jobs whose process lives, but has recorded nothing and gone no further for a while. Open the job in the "
            "table below, and look at its last message and at the step it is in.",
            at_the_end(or_none(_in_state(RunState.STALLED))),
            steps=((None, looks.GREEN), (1, looks.ORANGE)),
        ),
        panels.number(
            "Crashed",
            "Jobs whose process died without ending them, or that nobody has heard for five minutes, within the last "
            "hour. The table below says of what; the job's dashboard shows its last words.",
            at_the_end(or_none(_in_state(RunState.CRASHED))),
            steps=((None, looks.GREEN), (1, looks.RED)),
        ),
        panels.number(
            "Ended",
            "Jobs that ended within the time range, with whatever result.",
            at_the_end(or_none(ended("", FLEET))),
        ),
        panels.number(
            "Failed",
            "Share of the ended jobs that failed: result failure, error or timeout. Cancelled and skipped ones do not "
            "count. Look at Results by plugin for whose they are.",
            at_the_end(failure_share("", FLEET)),
            unit="percentunit",
            steps=looks.SHARE_FAILED,
            none="none ended",
        ),
        panels.number(
            "Killed",
            "Jobs whose process died without ending them, within the time range: killed, out of memory, out of power.",
            at_the_end(or_none(total("", crashes))),
            steps=((None, looks.GREEN), (1, looks.RED)),
        ),
        panels.stacked(
            panels.curves(
                "Running, by plugin",
                "Jobs that run. A fall to nothing of all plugins at once is a fault of the way here: see the "
                "dashboard Pipeline health.",
                [over_time(total(names.PLUGIN, series(names.name(semconv.JOB_ACTIVE), FLEET)), shown(names.PLUGIN))],
            )
        ),
        panels.curves(
            "Throughput, by plugin",
            "Items that jobs complete in a second, as their progress tells. Zero under a running job is a stall.",
            [
                over_time(
                    items_rate(names.PLUGIN, f"{names.PLUGIN}, {names.JOB}, {names.CATEGORY}", FLEET),
                    shown(names.PLUGIN),
                )
            ],
            unit=looks.ITEMS_A_SECOND,
        ),
    ]


def _ended(store: LogStore) -> Section:
    buckets = grown(series(names.buckets(semconv.JOB_DURATION), FLEET))
    return "Ended in the time range", [
        panels.results(
            "Jobs at the time they ended. Failure: the work failed; error: the system ended it, a kill included.",
            store.over_time(_finished(store), semconv.JOB_RESULT),
            store.source,
        ),
        panels.gauges(
            "Durations, in seconds",
            "How many of the ended jobs took up to so many seconds, and longer than the bar above says. Two hills are "
            "two kinds of job: choose a plugin to see one.",
            [as_buckets(total("le", buckets))],
        ).decimals(0),
        _results(),
    ]


def _results() -> Table:
    panel = tables.rows(
        "Results by plugin",
        "What ended within the time range, and how long the slower half and the slowest tenth took at least. Click a "
        "plugin to compare its versions and see its errors.",
        [
            as_table(ended(KIND, FLEET), "A"),
            as_table(failure_share(KIND, FLEET), "B"),
            as_table(quantile(0.5, semconv.JOB_DURATION, KIND, FLEET), "C"),
            as_table(quantile(0.9, semconv.JOB_DURATION, KIND, FLEET), "D"),
            as_table(mean(semconv.JOB_DURATION, KIND, FLEET), "E"),
        ],
    )
    titles = {
        names.PLUGIN: "Plugin",
        names.ACTION: "Action",
        "Value #A": "Ended",
        "Value #B": "Failed",
        "Value #E": "Took on average",
        "Value #C": "Half took up to",
        "Value #D": "Nine of ten took up to",
    }
    panel = tables.merged(panel, titles)
    panel = tables.column(panel, "Plugin", link=TO_PLUGIN)
    panel = tables.column(panel, "Ended", unit="short", decimals=0)
    panel = tables.column(panel, "Failed", unit="percentunit", steps=looks.SHARE_FAILED)
    panel = tables.column(panel, "Took on average", unit="s")
    panel = tables.column(panel, "Half took up to", unit="s")
    return tables.column(panel, "Nine of ten took up to", unit="s")


def _finished(store: LogStore) -> str:
    return finished(store, store.among(semconv.PLUGIN_NAME, "plugin"))


def _which(store: LogStore) -> Section:
    return "Which jobs", [_states(), _endings(store)]


def _states() -> Table:
    whole = f'{names.CATEGORY}=""'
    progress = last(series(names.name(semconv.JOB_PROGRESS), FLEET, whole))
    eta = series(names.name(semconv.JOB_ETA), FLEET, whole)
    states = series(STATE, FLEET)
    silence = series(names.recorded("synapse:job_silence:seconds"), FLEET)
    panel = tables.rows(
        "Jobs of the last hour",
        "Each job that was heard within the hour before the end of the time range. Stalled: it lives and says "
        "nothing; crashed: its process is gone, and the cause says why. Click a job to see into it.",
        [
            as_table(f"{named(states, '1h')} or ignoring ({names.RUN}) {states}", "A"),
            as_table(f"max by ({names.JOB}) ({progress})", "B"),
            as_table(running(f"max by ({names.JOB}) ({eta})", names.JOB, FLEET), "C"),
            as_table(f"min by ({names.JOB}) ({silence})", "D"),
        ],
    )
    titles = {
        names.STATE: "State",
        names.RUN: "Name",
        names.JOB: "Job",
        names.PLUGIN: "Plugin",
        names.VERSION: "Version",
        names.ACTION: "Action",
        names.CAUSE: "Cause",
        "Value #B": "Progress",
        "Value #C": "To go",
        "Value #D": "Silent for",
    }
    panel = tables.merged(panel, titles)
    panel = tables.column(panel, "State", mappings=looks.STATE_COLOURS, width=100)
    panel = tables.column(panel, "Job", link=TO_JOB)
    panel = tables.column(panel, "Plugin", link=TO_PLUGIN)
    panel = tables.column(panel, "Progress", unit="percentunit", decimals=0)
    panel = tables.column(panel, "To go", unit="s")
    return tables.column(panel, "Silent for", unit="s")


def _endings(store: LogStore) -> Table:
    panel = tables.rows(
        "Ended jobs",
        "The newest of the jobs that ended within the time range. Click a job to see into it, a trace for its "
        "steps as a waterfall.",
        [store.lines(_finished(store))],
        store.source,
    )
    panel = tables.transformed(panel, "extractFields", {"source": "labels", "format": "json"})
    titles = {
        "Time": "Ended at",
        store.name(semconv.JOB_RESULT): "Result",
        store.name(semconv.RUN_NAME): "Name",
        store.name(semconv.RUN_TAGS): "Tags",
        store.name(semconv.JOB_ID): "Job",
        store.name(semconv.PLUGIN_NAME): "Plugin",
        store.name(semconv.SERVICE_VERSION): "Version",
        store.name(semconv.ERROR_TYPE): "Error",
        "Line": "What it said",
        TRACE: "Trace",
    }
    panel = tables.chosen(panel, titles)
    panel = tables.column(panel, "Ended at", unit="dateTimeAsLocal", width=180)
    panel = tables.column(panel, "Result", mappings=looks.RESULT_COLOURS, width=100)
    panel = tables.column(panel, "Job", link=TO_JOB)
    panel = tables.column(panel, "Plugin", link=TO_PLUGIN)
    return tables.column(panel, "Trace", link=TO_TRACE)
