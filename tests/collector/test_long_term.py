"""The long-term path: what jobs did is added up exactly, and its series do not grow with the jobs. Real Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from synapse_otel import semconv
from synapse_otel.semconv.prometheus import series
from tests.collector.long_term_jobs import ACTIONS, PLUGINS, Job, items_by_plugin, send_all
from tests.collector.prometheuses import COLLECTOR, Prometheus, promtool
from tools.collector import long_term
from tools.stack.polling import eventually

BACKENDS = COLLECTOR / "backends"
RULES = BACKENDS / "long-term.rules.yaml"
WAVES, JOBS_PER_WAVE, LOOKS = 5, 100, 3

pytestmark = [pytest.mark.stack, pytest.mark.once]


@dataclass
class NearAndFar:
    """The Prometheus that knows each job, and the one that keeps only the sums."""

    near: Prometheus
    far: Prometheus

    def sums(self, name: str) -> dict[str, float]:
        """Return a recorded counter by plugin, as long-term storage has it."""
        found = self.far.ask(f"sum by (synapse_plugin_name) (plugin:{name}:sum)")
        return {labels["synapse_plugin_name"]: value for labels, value in found}

    def has_all(self, jobs: list[Job]) -> bool:
        """Whether long-term storage knows what all these jobs have done, and that they have ended."""
        assert self.sums("synapse_job_items_total") == items_by_plugin(jobs)
        assert sum(self.sums("synapse_job_duration_seconds_count").values()) == len(jobs)
        return True

    def series(self) -> list[dict[str, str]]:
        """Return the labels of every series in long-term storage."""
        return [labels for labels, _ in self.far.ask('{__name__!=""}')]


def near_configuration(folder: Path, far: str) -> dict[str, Any]:
    """Return prometheus.yaml with the fragment of the long-term path, its rules each second, as it should be written.

    How often rules are evaluated and how soon samples are sent on is all that the test changes.
    """
    hurried = RULES.read_text(encoding="utf-8").replace(f"interval: {long_term.INTERVAL}", "interval: 1s")
    assert "interval: 1s" in hurried
    (folder / "rules.yaml").write_text(hurried, encoding="utf-8")
    stock: dict[str, Any] = yaml.safe_load((COLLECTOR / "prometheus.yaml").read_text(encoding="utf-8"))
    fragment: dict[str, Any] = yaml.safe_load((BACKENDS / "remote-write.yaml").read_text(encoding="utf-8"))
    fragment["remote_write"][0] |= {"url": f"{far}/api/v1/write", "queue_config": {"batch_send_deadline": "100ms"}}
    kept = {key: value for key, value in stock.items() if key not in {"scrape_configs", "rule_files"}}
    return kept | fragment | {"rule_files": [str(folder / "rules.yaml")]}


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[NearAndFar]:
    with (
        Prometheus(tmp_path / "far", {}, ["--web.enable-remote-write-receiver"]) as far,
        Prometheus(tmp_path / "near", near_configuration(tmp_path, far.url), ["--web.enable-otlp-receiver"]) as near,
    ):
        yield NearAndFar(near, far)


def test_series_stay_few_and_sums_exact_while_five_hundred_jobs_come_and_go(pipeline: NearAndFar) -> None:
    jobs: list[Job] = []
    counts: list[int] = []
    for number in range(WAVES):
        if number == WAVES // 2:
            pipeline.near.restart()  # what it has counted is on its disk
        wave = [Job(len(jobs) + place) for place in range(JOBS_PER_WAVE)]
        jobs += wave
        for look in range(LOOKS):
            for job in wave:
                job.items += 1 + job.number % 7
                job.seconds = 3.0 if look == LOOKS - 1 else None
            send_all(pipeline.near.url + "/api/v1/otlp", wave)
        eventually(partial(pipeline.has_all, list(jobs)), timeout=30)
        counts.append(len(pipeline.series()))

    assert sum(pipeline.sums("synapse_job_duration_seconds_sum").values()) == 3.0 * len(jobs)
    assert pipeline.sums("synapse_job_active") == dict.fromkeys(PLUGINS, 0.0)
    assert counts == counts[:1] * WAVES, "as many series after 500 jobs as after 100"
    assert counts[0] < 20 * len(PLUGINS) * len(ACTIONS)
    known = {"synapse_job_id", "instance", "job", "service_instance_id"}
    assert [labels for labels in pipeline.series() if known & labels.keys()] == []
    assert len(pipeline.near.ask("count by (synapse_job_id) (synapse_job_items_total)")) == len(jobs)


def test_every_metric_that_adds_up_is_in_the_lane_without_its_job() -> None:
    recorded = {
        rule["record"]
        for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if rule["record"].endswith(":sum")
    }
    adding = [metric for metric in semconv.METRICS if metric.instrument != "gauge"]
    assert recorded == {f"plugin:{name}:sum" for metric in adding for name in series(metric)}
    for metric in adding:
        assert not {"synapse_job_id", "instance"} & set(long_term.kept_labels(metric))


def test_the_rules_are_what_semconv_says() -> None:
    assert RULES.read_text(encoding="utf-8") == long_term.rules(), "`python -m tools.collector long-term` writes them"


def test_promtool_accepts_the_rules_and_their_arithmetic(tmp_path: Path) -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    promtool("test", "rules", BACKENDS / "long-term.test.yaml")


def test_prometheus_accepts_its_configuration_with_the_fragment(tmp_path: Path) -> None:
    whole = tmp_path / "prometheus.yaml"
    whole.write_text(yaml.safe_dump(near_configuration(tmp_path, "http://127.0.0.1:9")), encoding="utf-8")
    assert "1 rule files found" in promtool("check", "config", whole)
