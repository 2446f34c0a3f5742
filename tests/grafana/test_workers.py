"""What the dashboards say of a job whose workers tell how far they are, by Prometheus' own tool."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from synapse_otel import semconv
from tests.collector.prometheuses import promtool
from tools.grafana import names
from tools.grafana.queries import items_rate, progress

pytestmark = [pytest.mark.once, pytest.mark.stack]

PROGRESS, CURRENT, LIMIT = semconv.JOB_PROGRESS, semconv.JOB_PROGRESS_CURRENT, semconv.JOB_PROGRESS_LIMIT
TOLD: list[tuple[str, str, str, str, str]] = [
    # category, worker, instance, items done, of how many: one sample a minute
    ("shards", "", "driver", "1 2 3", "4 4 4"),
    ("shards", "a", "i1", "5 5 5", "5 5 5"),
    ("epochs", "a", "i1", "1 2 _", "10 10 _"),  # killed, and started again by Ray: the same actor
    ("epochs", "a", "i2", "_ _ 4", "_ _ 10"),
    ("epochs", "b", "i3", "2 3 _", "10 10 _"),  # has ended: its series too
    ("retried", "c", "i4", "1 0 _", "5 0 _"),  # killed in the middle of a task, which another does again
    ("retried", "d", "i5", "_ _ 5", "_ _ 5"),
    ("crashed", "e", "i6", "1 2 0", "4 4 0"),  # killed with its driver
]


def of(values: str, limits: str) -> str:
    pairs = zip(values.split(), limits.split(), strict=True)
    return " ".join("_" if "_" in pair else str(float(pair[0]) / (float(pair[1]) or 4) or 0.5) for pair in pairs)


def input_series() -> list[dict[str, str]]:
    found = []
    for category, worker, instance, values, limits in TOLD:
        labels = {"synapse_job_id": "j", "instance": instance, names.CATEGORY: category}
        labels |= {names.WORKER: worker} if worker else {}
        told = ", ".join(f'{name}="{value}"' for name, value in labels.items())
        for metric, numbers in ((PROGRESS, of(values, limits)), (CURRENT, values), (LIMIT, limits)):
            found.append({"series": f"{names.name(metric)}{{{told}}}", "values": numbers})
        found.append({"series": f"{names.name(semconv.JOB_ITEMS)}{{{told}}}", "values": "0 60 120"})
    return found


def test_the_driver_has_the_word_and_else_the_workers_are_added_up(tmp_path: Path) -> None:
    job = 'synapse_job_id="j"'
    expected = {
        progress(names.CATEGORY, CURRENT, job): {"shards": 3, "epochs": 7, "retried": 5, "crashed": 0},
        progress(names.CATEGORY, LIMIT, job): {"shards": 4, "epochs": 20, "retried": 5, "crashed": 0},
        progress(names.CATEGORY, PROGRESS, job): {"shards": 0.75, "epochs": 0.35, "retried": 1, "crashed": 0.5},
        items_rate("synapse_job_id", f"synapse_job_id, {names.CATEGORY}", job, f'{names.CATEGORY}="shards"'): {"": 1},
    }
    cases = [
        {
            "expr": f"round({expression.replace('$__range', '1h').replace('$__rate_interval', '2m1s')}, 0.05)",
            "eval_time": "2m",
            "exp_samples": [
                {
                    "labels": f'{{{names.CATEGORY}="{category}"}}' if category else '{synapse_job_id="j"}',
                    "value": value,
                }
                for category, value in values.items()
            ],
        }
        for expression, values in expected.items()
    ]
    test = {"input_series": input_series(), "interval": "1m", "promql_expr_test": cases}
    file = tmp_path / "workers.test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [], "tests": [test]}), encoding="utf-8")
    promtool("test", "rules", file)
