"""The recording rules of the long-term path: what jobs did, added up over jobs, so that no series is of one job.

Each metric of semconv that adds up has its rules. A counter of a run is cumulative and ends with the run, so adding
up the runs of the moment would fall when one ends. What is recorded instead is a counter of our own, which grows by
what each run has done since it was last looked at:

    plugin:NAME:new       what is new in all runs since the last evaluation
    plugin:NAME:sum       all of that so far: a counter without job and run, for long-term storage
    run:NAME:counted      how far each run has been counted; stays here

Items of a job's workers count where its own process does not tell of their category: that has them already.

A run that is seen for the first time counts from 0, one that is silent and comes back from where it was, and a
repeated sample counts nothing. The order of the rules matters; Prometheus evaluates a group one by one.
"""

from __future__ import annotations

from typing import Final

from synapse_otel import semconv
from synapse_otel.semconv import Metric
from synapse_otel.semconv.prometheus import label, series

WINDOW: Final = "2h"
"""Samples that arrive later than this are not added up."""
MEMORY: Final = "1d"
"""A run that is silent for longer counts anew when it comes back."""
INTERVAL: Final = "5m"

_HEAD: Final = """\
# The long-term path: counters and histograms of jobs added up by plugin, without job and run. Made by
# `python -m tools.collector long-term` from semconv.py; docs/backends.md says how to use it.
#
# plugin:NAME:sum goes to long-term storage. plugin:NAME:new and run:NAME:counted are its memory and stay here.
# A sample that arrives over {window} late is not added up; a run that was silent for over {memory} counts anew.

groups:
  - name: synapse-long-term
    interval: {interval}
    rules:
"""
_COUNTER: Final = """\
      - record: plugin:{name}:new
        expr: |
          sum by ({labels}) (
{done}
            - (
              last_over_time(run:{name}:counted[{memory}])
              or 0 * max_over_time({name}[{window}])
            )
          )
      - record: plugin:{name}:sum
        expr: |
          plugin:{name}:new
          + (
            last_over_time(plugin:{name}:sum[{memory}])
            or 0 * plugin:{name}:new
          )
          or last_over_time(plugin:{name}:sum[{memory}])
      - record: run:{name}:counted
        expr: max_over_time({name}[{window}])
"""
_ALL: Final = """\
            max_over_time({name}[{window}])"""
_ITEMS: Final = """\
            (
              max_over_time({name}{{{worker}=""}}[{window}])
              or (
                max_over_time({name}{{{worker}!=""}}[{window}])
                unless on ({category}) max_over_time({name}{{{worker}=""}}[{window}])
              )
            )"""
_LEVEL: Final = """\
      - record: plugin:{name}:sum
        expr: sum by ({labels}) ({name})
"""
_TOLD_BY: Final = {
    "worker": label(semconv.WORKER_ID),
    "category": ", ".join(map(label, (semconv.TENANT, semconv.JOB_ID, semconv.CATEGORY))),
}
"""Who tells of items, and what is told of."""


def rules() -> str:
    """Return the text of collector/backends/long-term.rules.yaml."""
    constants = {"window": WINDOW, "memory": MEMORY}
    text = _HEAD.format(interval=INTERVAL, **constants)
    for metric in kept_metrics():
        template = _LEVEL if metric.instrument == "updowncounter" else _COUNTER
        for name in series(metric):
            labels = ", ".join(kept_labels(metric) + (["le"] if name.endswith("_bucket") else []))
            done = (_ITEMS if metric is semconv.JOB_ITEMS else _ALL).format(name=name, **constants, **_TOLD_BY)
            text += template.format(name=name, labels=labels, done=done, **constants)
    return text


def kept_metrics() -> list[Metric]:
    """Return the metrics that add up over jobs: all but the gauges."""
    return [metric for metric in semconv.METRICS if metric.instrument != "gauge"]


def kept_labels(metric: Metric) -> list[str]:
    """Return the labels that a metric keeps: the tenant, and its own attributes but for the job."""
    own = [key for key in metric.attributes if key != semconv.JOB_ID]
    return [label(key) for key in (semconv.TENANT, *own)]
