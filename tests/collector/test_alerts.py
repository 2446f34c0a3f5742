"""The alert rules: right by promtool, heard by the real Prometheus from the real Collectors, each with its section."""

from __future__ import annotations

import json
import re
import time
import urllib.error
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from synapse_otel import semconv
from synapse_otel.semconv.prometheus import label, series
from tests.alerts.hurried import ALERTS, hurried
from tests.alerts.telemetry import Point
from tests.collector.prometheuses import COLLECTOR, Prometheus, promtool
from tests.sink import Answer, Sink
from tests.stack import otlp
from tools.stack.fetch import get_json, get_text
from tools.stack.polling import eventually
from tools.stack.stack import Stack

RULES = sorted(ALERTS.glob("*.rules.yaml"))
RUNBOOK = COLLECTOR.parent / "docs" / "runbook.md"
SIGNALS = re.compile("log_records|metric_points|spans")
BACK_SECONDS = 600
OF_NEWER_COLLECTORS = {"otelcol_processor_memory_limiter_refused_*_total"}
"""What only those count; test_newest.py runs one at its memory limit."""

pytestmark = pytest.mark.once


def rules() -> list[dict[str, Any]]:
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


@pytest.mark.stack
def test_promtool_accepts_the_rules_and_their_tests() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", *RULES)
    promtool("test", "rules", *sorted(ALERTS.glob("*.test.yaml")))


def test_every_alert_is_tested_firing_and_not_firing() -> None:
    cases = [
        case
        for path in ALERTS.glob("*.test.yaml")
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
        for case in test["alert_rule_test"]
    ]
    fired = {case["alertname"] for case in cases if case.get("exp_alerts")}
    silent = {case["alertname"] for case in cases if not case.get("exp_alerts")}
    names = {alert["alert"] for alert in alerts()}
    assert silent == names
    # promtool cannot have samples of the future; the test with the real Prometheus has them.
    assert names - fired == {"SynapseClockAhead"}


def test_every_alert_has_a_section_in_the_runbook_and_every_section_an_alert() -> None:
    text = RUNBOOK.read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (Synapse\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert list(sections) == [alert["alert"] for alert in alerts()]
    for alert in alerts():
        name = alert["alert"]
        assert alert["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
        assert alert["labels"]["severity"] in {"critical", "warning"}
        for part in ("Means", "At risk", "To do", "Over when"):
            assert f"**{part}.**" in sections[name], (name, part)


def test_what_the_alerts_ask_of_jobs_is_what_jobs_send() -> None:
    text = re.sub(r"^ *#.*$", "", "".join(path.read_text(encoding="utf-8") for path in RULES), flags=re.MULTILINE)
    every = (*semconv.METRICS, *semconv.SELF_METRICS, *semconv.USAGE_METRICS, *semconv.VERIFY_METRICS)
    sent = {name for metric in every for name in series(metric)}
    labels = {label(attribute.key) for attribute in semconv.ATTRIBUTES}
    asked = set(re.findall(r"(?<![:\w])(?:synapse|otel_sdk)_\w+", text))
    assert asked - sent - labels == set()


@pytest.mark.stack
def test_the_stacks_prometheus_has_loaded_the_rules_and_knows_what_to_scrape(stack: Stack) -> None:
    loaded = [
        rule for group in get_json(f"{stack.prometheus}/api/v1/rules")["data"]["groups"] for rule in group["rules"]
    ]
    assert sorted(rule["name"] for rule in loaded) == sorted(rule.get("alert", rule.get("record")) for rule in rules())

    def all_known() -> bool:
        targets = get_json(f"{stack.prometheus}/api/v1/targets")["data"]["activeTargets"]
        assert {target["labels"].get("tier", "victorialogs"): target["scrapeUrl"] for target in targets} == {
            "agent": stack.collector_metrics("agent"),
            "gateway": stack.collector_metrics("gateway"),
            "victorialogs": f"{stack.victorialogs}/metrics",
        }
        assert "down" not in {target["health"] for target in targets}
        return True

    eventually(all_known, timeout=30)


class Troubles:
    """Tiers in trouble, and a Prometheus that looks at them, and at its rules, each second."""

    def __init__(self, stack: Stack, prometheus: Prometheus) -> None:
        self.stack = stack
        self.prometheus = prometheus

    def known(self) -> set[str]:
        """Return the alerts whose condition holds."""
        answer = get_json(f"{self.prometheus.url}/api/v1/alerts")
        return {alert["labels"]["alertname"] for alert in answer["data"]["alerts"]}

    def metrics(self) -> set[str]:
        """Return the names of all metrics that the tiers have, the signal in a name left out."""
        texts = [get_text(self.stack.collector_metrics(tier)) for tier in ("agent", "gateway")]
        return {SIGNALS.sub("*", name) for text in texts for name in re.findall(r"^(otelcol_\w+)", text, re.MULTILINE)}


def targets(folder: Path, stack: Stack) -> None:
    """Make the tiers of `stack` what Prometheus scrapes."""
    found = [
        {"targets": [stack.collector_metrics(tier).split("/")[2]], "labels": {"tier": tier}}
        for tier in ("agent", "gateway")
    ]
    (folder / "targets").mkdir()
    (folder / "targets" / "collectors.json").write_text(json.dumps(found), encoding="utf-8")


@pytest.fixture
def troubles(tmp_path: Path) -> Iterator[Troubles]:
    environments = {
        "agent": {"COLLECTOR_MEMORY_LIMIT_MIB": "4"},
        "gateway": {"COLLECTOR_QUEUE_BYTES": "1048576"},
    }
    with Sink(lambda _request: Answer(400)) as sink:
        environments["gateway"]["COLLECTOR_LOGS_ENDPOINT"] = sink.url
        with Stack(("agent", "gateway"), directory=tmp_path / "stack", environments=environments) as stack:
            folder = tmp_path / "prometheus"
            folder.mkdir()
            targets(folder, stack)
            with Prometheus(folder, hurried(folder), ["--web.enable-otlp-receiver"]) as prometheus:
                yield Troubles(stack, prometheus)


def jobs_in_trouble() -> list[Point]:
    """Return what Prometheus is told of jobs each of which has a trouble of its own."""
    now = time.time()

    def heard(run: str, age: float, *, silent: float = 0, active: float = 1) -> list[Point]:
        return [
            Point(semconv.JOB_HEARTBEAT_TIME, now - age, age, run, run),
            Point(semconv.JOB_ACTIVITY_TIME, now - age - silent, age, run, run),
            Point(semconv.JOB_ACTIVE, active, age, run, run),
        ]

    failure = {semconv.JOB_RESULT: semconv.RESULT_FAILURE, semconv.PLUGIN_NAME: "yolo"}
    return [
        *heard("gone", BACK_SECONDS),
        *heard("hangs", 0, silent=400),
        *heard("retries", 0),
        Point(semconv.JOB_PROGRESS_TIME, now - 2000, 0, "retries", "retries"),
        Point(semconv.JOB_PROGRESS, 0.4, 0, "retries", "retries"),
        Point(semconv.JOB_CRASHES, 1, 0, "killed", "killed", {semconv.ERROR_TYPE: "SIGKILL"}),
        Point(semconv.JOB_METRIC_NONFINITE, 1, 0, "diverged", "diverged"),
        *(Point(semconv.JOB_DURATION, 1, 0, f"failed-{number}", attributes=failure) for number in range(3)),
        Point(semconv.JOB_HEARTBEAT_TIME, now + BACK_SECONDS / 2, -BACK_SECONDS / 2, "ahead", "ahead"),
        Point(semconv.SHIPPER_QUEUE_AGE, 400, 0, "late", attributes={semconv.SIGNAL: "logs"}),
        Point(semconv.SDK_LOG_EXPORTED, 3, 0, "lost", attributes={semconv.ERROR_TYPE: "evicted"}),
    ]


def is_refused(base: str, request: Any) -> bool:
    try:
        otlp.send(base, request)
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        return True
    return False


def send_until_refused(base: str, request: Any) -> None:
    """Send a request until a queue is full, or the memory limiter has looked, which it does once a second."""
    eventually(partial(is_refused, base, request), every=0.01)


@pytest.mark.stack
def test_the_alerts_hear_the_troubles_of_real_tiers_and_jobs(troubles: Troubles) -> None:
    now = time.time_ns()
    gateway, agent = troubles.stack.gateway_otlp_http, troubles.stack.otlp_http
    jobs = troubles.prometheus.url + "/api/v1/otlp"
    span = Span(trace_id=b"1" * 16, span_id=b"2" * 8, name="x" * 50_000, start_time_unix_nano=now)

    otlp.send(gateway, otlp.logs("yolo", [otlp.record(now, "the log store answers 400")]))
    Point(semconv.JOB_METRIC, 1.0, now / 1e9 - 1, "old").send(gateway, now)
    send_until_refused(gateway, otlp.traces("yolo", [span]))
    send_until_refused(agent, otlp.logs("yolo", [otlp.record(now, "no memory")]))
    for point in jobs_in_trouble():
        point.send(jobs, time.time_ns())
    eventually(lambda: len(troubles.prometheus.ask('up{job="otelcol"} == 1')) == 2)

    expected = {
        "SynapseCollectorDropped",
        "SynapseCollectorExportStalled",
        "SynapseCollectorMemoryLimited",
        "SynapseCollectorQueueFilling",
        "SynapseCollectorQueueFull",
        "SynapseCollectorRefusing",
        "SynapseSamplesUnstorable",
        "SynapseJobLost",
        "SynapseJobStalled",
        "SynapseJobNotAdvancing",
        "SynapseJobCrashed",
        "SynapseJobsFailing",
        "SynapseMetricNonFinite",
        "SynapseClockAhead",
        "SynapseClockBehind",
        "SynapseDeliveryLate",
        "SynapseRecordsLost",
    }

    def heard() -> bool:
        # A counter's growth shows only where it has been seen before.
        send_until_refused(gateway, otlp.traces("yolo", [span]))
        send_until_refused(agent, otlp.logs("yolo", [otlp.record(now, "no memory")]))
        sent = time.time()
        for metric, value in ((semconv.JOB_HEARTBEAT_TIME, sent - BACK_SECONDS / 5), (semconv.JOB_ACTIVE, 1)):
            Point(metric, value, BACK_SECONDS / 5, "behind", "behind").send(jobs, int(sent * 1e9))
        assert troubles.known() == expected
        return True

    eventually(heard, timeout=60, every=0.2)
    asked = {SIGNALS.sub("*", name) for path in RULES for name in re.findall(r"otelcol_\w+", path.read_text())}
    assert asked - troubles.metrics() == OF_NEWER_COLLECTORS
    assert {rule["health"] for rule in loaded(troubles)} == {"ok"}

    troubles.stack.kill("agent")
    eventually(lambda: "SynapseCollectorDown" in troubles.known())


def loaded(troubles: Troubles) -> list[dict[str, Any]]:
    answer = get_json(f"{troubles.prometheus.url}/api/v1/rules")
    return [rule for group in answer["data"]["groups"] for rule in group["rules"]]
