"""The variables, each choosing among what the ones before it leave: tenant, action, plugin, job."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders.dashboard import CustomVariable, QueryVariable, TextBoxVariable
from grafana_foundation_sdk.models.dashboard import VariableHide, VariableOption, VariableRefresh, VariableSort

from synapse_otel import semconv
from synapse_otel.mapping.levels import LEVELS
from tools.grafana import names, queries
from tools.grafana.looks import OFF, ON
from tools.grafana.sources import PROMETHEUS

_JOBS: Final = names.name(semconv.JOB_ACTIVE)
"""Every job has told this series, from its start to its end."""

_LABEL_VALUES: Final = 1
_QUERY_RESULT: Final = 3
"""How Grafana's data source of Prometheus numbers the kinds of variables."""

EVERY_SAMPLE: Final = "[$__range]"
A_POINT_A_STEP: Final = "[$__range:$__interval]"


def values(name: str, label: str, title: str, description: str, *matchers: str, series: str = _JOBS) -> QueryVariable:
    """Return a variable with the values of a label in the time range; one of them is chosen."""
    query = f"label_values({queries.series(series, *matchers)}, {label})"
    return _variable(name, title, description, query, _LABEL_VALUES)


def _variable(name: str, title: str, description: str, query: str, kind: int) -> QueryVariable:
    return (
        QueryVariable(name)
        .label(title)
        .description(description)
        .datasource(PROMETHEUS)
        .query({"qryType": kind, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"})
        .definition(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def several(variable: QueryVariable) -> QueryVariable:
    """Let several values be chosen; from the first, all are, also what has no such label."""
    return _all(variable).all_value(".*")


def _all(variable: QueryVariable) -> QueryVariable:
    chosen = VariableOption(selected=ON, text=["All"], value=["$__all"])
    return variable.multi(ON).include_all(ON).current(chosen)


def tenant() -> QueryVariable:
    """Return the choice of tenants."""
    return several(values("tenant", names.TENANT, "Tenant", "Tenants that a platform has named."))


def action() -> QueryVariable:
    """Return the choice of actions."""
    matcher = f'{names.TENANT}=~"$tenant"'
    return several(values("action", names.ACTION, "Action", "What the jobs do: train, export, upload...", matcher))


def _plugin() -> QueryVariable:
    matchers = (f'{names.TENANT}=~"$tenant"', f'{names.ACTION}=~"$action"')
    return values("plugin", names.PLUGIN, "Plugin", "Plugins that had a job in the time range.", *matchers)


def plugins() -> QueryVariable:
    """Return the choice of plugins."""
    return several(_plugin())


def plugin() -> QueryVariable:
    """Return the choice of one plugin."""
    return _plugin()


def versions() -> QueryVariable:
    """Return the choice of versions of a plugin."""
    described = "Versions of the plugin that had a job in the time range."
    return several(values("version", names.VERSION, "Version", described, queries.ONE_PLUGIN))


def job() -> QueryVariable:
    """Return the choice of one job: shown by the name of its run where it has one, else by its id."""
    described = "Job that was heard in the time range, by its run's name; the links of the dashboard Jobs choose it."
    told = queries.last(queries.series(_JOBS, queries.FLEET))
    by_name = f"group by ({names.JOB}, {names.RUN}) ({queries.named(told)})"
    by_id = f'label_join(group by ({names.JOB}) ({told}), "{names.RUN}", "", "{names.JOB}")'
    query = f"query_result({by_name} or on ({names.JOB}) {by_id})"
    return (
        _variable("job", "Job", described, query, _QUERY_RESULT)
        # Grafana shows what is called text, and takes what is called value.
        .regex(f'/{names.JOB}="(?<value>.*)",{names.RUN}="(?<text>.*)"\\}}/')
    )


def service(matcher: str) -> QueryVariable:
    """Return the hidden name of the process in its traces and log records: the plugin's, unless it was renamed."""
    return _hidden(values("service", names.SERVICE, "Service", "Name in traces and log records.", matcher))


def run() -> QueryVariable:
    """Return the hidden ids of the job's processes."""
    variable = values("run", names.INSTANCE, "Run", "Processes of the job.", queries.ONE_JOB)
    return _hidden(_all(variable))  # all that are found: a value for `All` would be every job's


def metrics(matcher: str) -> QueryVariable:
    """Return the choice of the names of metrics that the plugin has reported."""
    series = names.name(semconv.JOB_METRIC)
    return several(values("metric", names.METRIC, "Metric", "Names of reported metrics.", matcher, series=series))


def resolution() -> CustomVariable:
    """Return the choice between every sample and as many as a panel has room for."""
    options = {"every sample": EVERY_SAMPLE, "at most one a pixel": A_POINT_A_STEP}
    return (
        CustomVariable("curve")
        .label("Curve")
        .description("Samples of the metric curves. A job of a million samples is drawn faster with one a pixel.")
        .values(", ".join(f"{text} : {value}" for text, value in options.items()))
        .current(VariableOption(selected=True, text="every sample", value=EVERY_SAMPLE))
        .options(
            [VariableOption(selected=value == EVERY_SAMPLE, text=text, value=value) for text, value in options.items()]
        )
    )


def level() -> CustomVariable:
    """Return the choice of levels of log records."""
    texts = dict.fromkeys(known.text for known in LEVELS.values())
    chosen = VariableOption(selected=ON, text=["All"], value=["$__all"])
    options = [VariableOption(selected=OFF, text=text, value=text) for text in texts]
    return (
        CustomVariable("level")
        .label("Level")
        .description("Levels of the messages below.")
        .values(", ".join(texts))
        .options(options)
        .multi(ON)
        .include_all(ON)
        .all_value(".*")
        .current(chosen)
    )


def search() -> TextBoxVariable:
    """Return what to look for in log records."""
    described = "Words, or a regular expression, that the messages below have; upper and lower case are the same."
    empty = VariableOption(selected=ON, text="", value="")
    return TextBoxVariable("search").label("Search").description(described).default_value("").current(empty)


def _hidden(variable: QueryVariable) -> QueryVariable:
    return variable.hide(VariableHide.HIDE_VARIABLE)
