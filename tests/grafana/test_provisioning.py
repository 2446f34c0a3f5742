"""Grafana finds its data sources and dashboards by itself, and each leads to the others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from synapse_otel import semconv
from synapse_otel.mapping.levels import LEVELS
from tests.grafana.asking import FOLDER, read
from tests.grafana.provisioning import LOKI_PROVISIONING, PROVISIONING, ROOT, loaded, plain, source, sources
from tools.collector.names import known
from tools.grafana.links import JOB
from tools.grafana.log_store import SEVERITY_NUMBER, TRACE, LogStore
from tools.grafana.loki import LOKI
from tools.grafana.victorialogs import VICTORIALOGS

pytestmark = pytest.mark.once

RECORDS_OF_A_TRACE = {
    "victorialogs": 'trace_id:="${__span.traceId}" | sort by (_time) desc',
    "loki": '{service_namespace="synapse"} | trace_id="${__span.traceId}"',
}
GRAFANAS = {
    "TRACE": "trace",
    "DEBUG": "debug",
    "INFO": "info",
    "WARN": "warning",
    "ERROR": "error",
    "FATAL": "critical",
}
"""Levels of Grafana's log lines by severity."""
every_log_store = pytest.mark.parametrize(
    ("store", "provisioning"),
    [(VICTORIALOGS, PROVISIONING), (LOKI, LOKI_PROVISIONING)],
    ids=["victorialogs", "loki"],
)


def test_the_dashboards_are_where_the_provider_looks() -> None:
    (provider,) = loaded(PROVISIONING / "dashboards" / "dashboards.yaml")["providers"]
    grafana = loaded(ROOT / "docker-compose.yml")["services"]["grafana"]
    mounts = dict(reversed(mount.split(":")[:2]) for mount in grafana["volumes"])
    assert mounts[provider["options"]["path"]] == "./grafana/dashboards"
    assert mounts["/etc/grafana/provisioning"] == "./grafana/provisioning"
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == provider["options"]["path"]
    assert (FOLDER / home.name).exists()


@every_log_store
def test_a_log_line_leads_to_its_trace_and_to_its_job(store: LogStore, provisioning: Path) -> None:
    trace, job = source(store.source.uid, provisioning)["derivedFields"]
    assert (trace["matcherType"], trace["matcherRegex"]) == ("label", TRACE)
    assert (plain(trace["url"]), trace["datasourceUid"]) == ("${__value.raw}", "jaeger")
    assert (job["matcherType"], job["matcherRegex"]) == ("label", store.name(semconv.JOB_ID))
    assert plain(job["url"]) == f"/d/{JOB}?var-job=${{__value.raw}}"
    assert read("job")["uid"] == JOB


@every_log_store
def test_a_span_leads_to_its_log_records_and_metrics(store: LogStore, provisioning: Path) -> None:
    logs, metrics = (source("jaeger", provisioning)[key] for key in ("tracesToLogsV2", "tracesToMetrics"))
    assert logs["datasourceUid"] == store.source.uid
    assert logs["customQuery"] is True
    assert plain(logs["query"]) == RECORDS_OF_A_TRACE[store.source.uid]
    assert metrics["datasourceUid"] == "prometheus"
    assert metrics["tags"] == [{"key": "synapse.job.id", "value": "synapse_job_id"}]
    names = known(ROOT / "collector")
    for query in metrics["queries"]:
        assert "{$__tags}" in plain(query["query"])
        assert set(re.findall(r"synapse_\w+", query["query"])) <= names


def test_the_data_sources_with_loki_differ_in_the_log_store_alone() -> None:
    stock, with_loki = sources(), sources(LOKI_PROVISIONING)
    assert stock.keys() - with_loki.keys() == {VICTORIALOGS.source.uid}
    assert with_loki.keys() - stock.keys() == {LOKI.source.uid}
    for declared in (stock, with_loki):
        for key in ("datasourceUid", "query"):
            del declared["jaeger"]["jsonData"]["tracesToLogsV2"][key]
    assert [stock[uid] for uid in ("prometheus", "jaeger")] == [with_loki[uid] for uid in ("prometheus", "jaeger")]


def test_a_log_line_has_the_colour_of_its_severity() -> None:
    rules = source(VICTORIALOGS.source.uid)["logLevelRules"]
    assert {(rule["enabled"], rule["field"], rule["operator"]) for rule in rules} == {
        (True, SEVERITY_NUMBER, "greaterThan")
    }
    assert sorted((rule["value"] for rule in rules), reverse=True) == [rule["value"] for rule in rules]

    def colour(number: int) -> str:
        return next(str(rule["level"]) for rule in rules if number > rule["value"])

    for level in LEVELS.values():
        assert colour(level.severity.value) == GRAFANAS[level.text], level


def test_an_exemplar_leads_to_its_trace() -> None:
    assert source("prometheus")["exemplarTraceIdDestinations"] == [{"name": "trace_id", "datasourceUid": "jaeger"}]


def test_prometheus_is_asked_no_finer_than_it_scrapes() -> None:
    stock = loaded(ROOT / "collector" / "prometheus.yaml")
    assert source("prometheus")["timeInterval"] == stock["global"]["scrape_interval"]
