"""The classifier live, stalled, crashed, done: its Python text and its rules for Prometheus say the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from synapse_otel import semconv
from tests.alerts.cases import CASES, HEARD_SECONDS, KNOWN, STALL_SECONDS, Case
from tests.alerts.hurried import ALERTS, hurried
from tests.alerts.telemetry import Point
from tests.collector.prometheuses import Prometheus, promtool
from tools.stack.polling import eventually

RULES = ALERTS / "job-state.rules.yaml"
NOW_SECONDS = 3600

pytestmark = pytest.mark.once


@pytest.mark.parametrize("case", KNOWN, ids=lambda case: case.name)
def test_the_python_text_says_what_the_words_mean(case: Case) -> None:
    assert case.state == KNOWN[case]


def test_the_rules_have_the_times_that_the_settings_have() -> None:
    text = RULES.read_text(encoding="utf-8")
    assert f"synapse:job_silence:seconds > {STALL_SECONDS:g}\n" in text
    assert f"synapse:job_heartbeat_lag:seconds > {HEARD_SECONDS:g} and" in text


def as_promtool_takes_it(point: Point) -> dict[str, str]:
    at = NOW_SECONDS - int(point.age_seconds)
    return {"series": point.series, "values": f"_x{at} {point.value:g}" if at else f"{point.value:g}"}


@pytest.mark.stack
def test_the_rules_say_what_the_python_text_says_to_the_second(tmp_path: Path) -> None:
    points = [point for case in CASES for point in case.points(NOW_SECONDS)]
    expected = [{"labels": f'{{synapse_job_id="{case.name}", state="{case.state}"}}', "value": 1} for case in CASES]
    test = {
        "interval": "1s",
        "input_series": [as_promtool_takes_it(point) for point in points],
        "promql_expr_test": [
            {
                "expr": "sum by (synapse_job_id, state) (synapse:job_state)",
                "eval_time": f"{NOW_SECONDS}s",
                "exp_samples": expected,
            }
        ],
    }
    cases = {"rule_files": [str(RULES)], "evaluation_interval": "30s", "tests": [test]}
    path = tmp_path / "cases.test.yaml"
    path.write_text(yaml.safe_dump(cases), encoding="utf-8")
    promtool("test", "rules", path)


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    configuration = hurried(tmp_path) | {"scrape_configs": []}
    with Prometheus(tmp_path, configuration, ["--web.enable-otlp-receiver"]) as running:
        yield running


def states(prometheus: Prometheus) -> dict[str, str]:
    """Return the state of each job by its id; AssertionError where one has two."""
    found = [labels for labels, _value in prometheus.ask("synapse:job_state")]
    assert len({labels["synapse_job_id"] for labels in found}) == len(found), found
    return {labels["synapse_job_id"]: labels["state"] for labels in found}


def send(prometheus: Prometheus, points: list[Point], now: float) -> None:
    for point in points:
        point.send(prometheus.url + "/api/v1/otlp", int(now * 1e9))


@pytest.mark.stack
def test_a_real_prometheus_says_the_same_of_what_it_is_sent(prometheus: Prometheus) -> None:
    # Its clock goes on meanwhile: what is about to be missed is missed then.
    cases = [case for case in CASES if case.heard_seconds != HEARD_SECONDS]
    now = time.time()
    send(prometheus, [point for case in cases for point in case.points(now)], now)

    def same() -> bool:
        assert states(prometheus) == {case.name: str(case.state) for case in cases}
        return True

    eventually(same, timeout=60, every=0.2)


@pytest.mark.stack
def test_what_is_sent_late_is_believed(prometheus: Prometheus) -> None:
    def told(job: str, active: int, age: float, *, heartbeat: bool = True) -> list[Point]:
        run = f"run of {job}"
        found = [Point(semconv.JOB_ACTIVE, active, age, run, job)]
        if heartbeat:
            found += [
                Point(metric, time.time() - age, age, run, job)
                for metric in (semconv.JOB_HEARTBEAT_TIME, semconv.JOB_ACTIVITY_TIME)
            ]
        return found

    def ended(job: str, age: float) -> list[Point]:
        duration = Point(semconv.JOB_DURATION, 1, age, f"run of {job}", attributes={semconv.JOB_RESULT: "success"})
        return [*told(job, 0, age, heartbeat=False), duration]

    def are(expected: dict[str, str]) -> None:
        def same() -> bool:
            assert states(prometheus) == expected
            return True

        eventually(same, timeout=60, every=0.2)

    jobs = ("cut off", "ended then", "killed then")
    send(prometheus, [point for job in jobs for point in told(job, 1, 900)], time.time())
    are(dict.fromkeys(jobs, "crashed"))
    assert {labels["cause"] for labels, _value in prometheus.ask("synapse:job_state")} == {"unheard"}

    # The way is free again: what waited comes with the times that it was recorded at.
    crash = Point(semconv.JOB_CRASHES, 1, 600, "run of killed then", "killed then", {semconv.ERROR_TYPE: "SIGKILL"})
    late = [*ended("ended then", 600), *told("killed then", 0, 600, heartbeat=False), crash, *told("cut off", 1, 0)]
    send(prometheus, late, time.time())
    are({"cut off": "live", "ended then": "done", "killed then": "crashed"})
    causes = {labels.get("cause") for labels, _value in prometheus.ask('synapse:job_state{state="crashed"}')}
    assert causes == {"SIGKILL"}

    # A job of yesterday is no news.
    send(prometheus, ended("long ago", 2 * 3600), time.time())
    are({"cut off": "live", "ended then": "done", "killed then": "crashed"})


@pytest.mark.stack
def test_a_job_whose_clock_is_far_behind_is_alive_as_long_as_it_is_heard(prometheus: Prometheus) -> None:
    age, seen = 1200.0, 'count_over_time(synapse:job_heartbeat_lag:seconds{synapse_job_id="behind"}[1m]) >= 5'

    def heard_often() -> bool:
        now = time.time()
        told = {semconv.JOB_HEARTBEAT_TIME: now - age, semconv.JOB_ACTIVITY_TIME: now - age, semconv.JOB_ACTIVE: 1}
        send(prometheus, [Point(metric, value, age, "run", "behind") for metric, value in told.items()], now)
        return bool(prometheus.ask(seen))

    eventually(heard_often, timeout=60, every=0.2)
    found = {labels["state"] for labels, _value in prometheus.ask("last_over_time(synapse:job_state[1m])")}
    assert found == {"live"}
    eventually(lambda: states(prometheus) == {"behind": "crashed"}, timeout=60, every=0.2)
