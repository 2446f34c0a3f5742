"""Grafana finds its data sources and dashboards by itself, and each leads to the others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.grafana.asking import FOLDER, read
from tests.grafana.provisioning import PROVISIONING, ROOT, loaded, plain, source
from tools.collector.names import known
from tools.grafana.links import JOB

pytestmark = pytest.mark.once


def test_the_dashboards_are_where_the_provider_looks() -> None:
    (provider,) = loaded(PROVISIONING / "dashboards" / "dashboards.yaml")["providers"]
    grafana = loaded(ROOT / "docker-compose.yml")["services"]["grafana"]
    mounts = dict(reversed(mount.split(":")[:2]) for mount in grafana["volumes"])
    assert mounts[provider["options"]["path"]] == "./grafana/dashboards"
    assert mounts["/etc/grafana/provisioning"] == "./grafana/provisioning"
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == provider["options"]["path"]
    assert (FOLDER / home.name).exists()


def test_a_log_line_leads_to_its_trace_and_to_its_job() -> None:
    trace, job = source("loki")["derivedFields"]
    assert (trace["matcherType"], trace["matcherRegex"]) == ("label", "trace_id")
    assert (plain(trace["url"]), trace["datasourceUid"]) == ("${__value.raw}", "jaeger")
    assert (job["matcherType"], job["matcherRegex"]) == ("label", "synapse_job_id")
    assert plain(job["url"]) == f"/d/{JOB}?var-job=${{__value.raw}}"
    assert read("job")["uid"] == JOB


def test_a_span_leads_to_its_log_records_and_metrics() -> None:
    logs, metrics = (source("jaeger")[key] for key in ("tracesToLogsV2", "tracesToMetrics"))
    assert logs["datasourceUid"] == "loki"
    assert logs["customQuery"] is True
    assert plain(logs["query"]) == '{service_namespace="synapse"} | trace_id="${__span.traceId}"'
    assert metrics["datasourceUid"] == "prometheus"
    assert metrics["tags"] == [{"key": "synapse.job.id", "value": "synapse_job_id"}]
    names = known(ROOT / "collector")
    for query in metrics["queries"]:
        assert "{$__tags}" in plain(query["query"])
        assert set(re.findall(r"synapse_\w+", query["query"])) <= names


def test_an_exemplar_leads_to_its_trace() -> None:
    assert source("prometheus")["exemplarTraceIdDestinations"] == [{"name": "trace_id", "datasourceUid": "jaeger"}]


def test_prometheus_is_asked_no_finer_than_it_scrapes() -> None:
    stock = loaded(ROOT / "collector" / "prometheus.yaml")
    assert source("prometheus")["timeInterval"] == stock["global"]["scrape_interval"]
