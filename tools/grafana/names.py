"""What the queries ask Prometheus for: series, recorded series, labels. None is made up here.

Each name follows from `semconv`, or stands in the recording rules of collector/alerts/.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

from synapse_otel import semconv
from synapse_otel.semconv.prometheus import label, series

RULES: Final = Path(__file__).parents[2] / "collector" / "alerts"
_RECORD: Final = re.compile(r"^\s*- record: (\S+)$", re.MULTILINE)

TENANT: Final = label(semconv.TENANT)
ACTION: Final = label(semconv.ACTION)
PLUGIN: Final = label(semconv.PLUGIN_NAME)
VERSION: Final = label(semconv.SERVICE_VERSION)
SERVICE: Final = label(semconv.SERVICE_NAME)
NAMESPACE: Final = label(semconv.SERVICE_NAMESPACE)
JOB: Final = label(semconv.JOB_ID)
RUN: Final = label(semconv.RUN_NAME)
RESULT: Final = label(semconv.JOB_RESULT)
CATEGORY: Final = label(semconv.CATEGORY)
WORKER: Final = label(semconv.WORKER_ID)
METRIC: Final = label(semconv.METRIC_NAME)
STEP: Final = label(semconv.STEP_NAME)
STEP_RESULT: Final = label(semconv.STEP_RESULT)
CONTEXT: Final = label(semconv.MESSAGE_CONTEXT)
COMPONENT: Final = label(semconv.COMPONENT_NAME)
SIGNAL: Final = label(semconv.SIGNAL)
ERROR: Final = label(semconv.ERROR_TYPE)
EXCEPTION: Final = label(semconv.EXCEPTION_TYPE)
EXCEPTION_MESSAGE: Final = label(semconv.EXCEPTION_MESSAGE)
STACK: Final = label(semconv.EXCEPTION_STACKTRACE)
GPU: Final = label(semconv.HW_NAME)
DISK_DIRECTION: Final = label(semconv.DISK_DIRECTION)
NETWORK_DIRECTION: Final = label(semconv.NETWORK_DIRECTION)

PROMETHEUS_JOB: Final = "job"
"""Prometheus' label for namespace and name of the service: with the instance, it tells a resource from others."""
INSTANCE: Final = "instance"
"""Prometheus' label for `service.instance.id`: the run."""
RESOURCE: Final = "target_info"
"""Prometheus' own series of each resource, with those of its attributes that are no labels of other series."""
ALERTS: Final = "ALERTS"
"""Prometheus' own series of alerts."""
FIRING: Final = 'alertstate="firing"'
ALERT: Final = "alertname"
STATE: Final = "state"
"""Label of `synapse:job_state`, of the words of `recording.RunState`."""
CAUSE: Final = "cause"
"""Its label that says of what a job crashed."""


def name(metric: semconv.Metric) -> str:
    """Return the name of the only series of a metric that is no histogram."""
    (only,) = series(metric)
    return only


def buckets(metric: semconv.Metric) -> str:
    """Return the name of a histogram's series of buckets."""
    return series(metric)[0]


def total(metric: semconv.Metric) -> str:
    """Return the name of a histogram's series of sums."""
    return series(metric)[1]


def count(metric: semconv.Metric) -> str:
    """Return the name of a histogram's series of counts."""
    return series(metric)[2]


def recorded(name: str) -> str:
    """Return the name of a recorded series; KeyError where no rule records it."""
    if name not in all_recorded():
        raise KeyError(f"no rule in {RULES} records {name}")
    return name


@cache
def all_recorded() -> frozenset[str]:
    """Return the names of all recorded series."""
    texts = (path.read_text(encoding="utf-8") for path in sorted(RULES.glob("*.rules.yaml")))
    return frozenset(found for text in texts for found in _RECORD.findall(text))
