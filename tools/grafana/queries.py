"""Parts of PromQL. Texts with a dollar sign are Grafana's variables: it puts their values in."""

from __future__ import annotations

from typing import Final

from synapse_otel import semconv
from tools.grafana import names

RANGE: Final = "$__range"
INTERVAL: Final = "$__interval"
RATE: Final = "$__rate_interval"
_HISTORY: Final = "1h"
"""How long before the time range a counter may have been told last: a run with a job tells it every few seconds."""

FLEET: Final = f'{names.TENANT}=~"$tenant", {names.ACTION}=~"$action", {names.PLUGIN}=~"$plugin"'
"""Matchers for what the variables choose; the value of `All` matches a label that is absent too."""
ONE_PLUGIN: Final = f'{names.TENANT}=~"$tenant", {names.ACTION}=~"$action", {names.PLUGIN}="$plugin"'
"""The same where one plugin is chosen; Grafana makes a regular expression only of variables with several values."""
ONE_JOB: Final = f'{names.JOB}="$job"'


def series(name: str, *matchers: str) -> str:
    """Return a selector."""
    return f"{name}{{{', '.join(matchers)}}}" if matchers else name


def last(selector: str, window: str = RANGE) -> str:
    """Return each series' last value of a window: a series ends with its job, and a dashboard looks back."""
    return f"last_over_time({selector}[{window}])"


def grown(selector: str, window: str = RANGE) -> str:
    """Return how much each counter has grown in a window, one that began in it from 0 on.

    `increase` would not do: a run counts its one job by one sample, which has none before it to grow from.
    """
    before = f"last_over_time({selector}[{_HISTORY}] offset {window})"
    now = last(selector, window)
    return f"({now} - ({before} or 0 * {now}))"


def total(by: str, expression: str) -> str:
    """Return a sum by labels, or by none."""
    return f"sum by ({by}) ({expression})" if by else f"sum({expression})"


def rate(by: str, selector: str) -> str:
    """Return a sum by labels of the growth a second."""
    return total(by, f"rate({selector}[{RATE}])")


def labelled(expression: str, label: str, value: str) -> str:
    """Give every series a label: `or` leaves out what has the labels of what stands before it."""
    return f'label_replace({expression}, "{label}", "{value}", "", "")'


def or_none(expression: str) -> str:
    """Return 0 where there is nothing to count."""
    return f"({expression}) or vector(0)"


def named(expression: str, window: str = RANGE) -> str:
    """Return series of runs, or of their jobs, with the run's name as a label; those without a name are left out.

    A run is one `instance`; of several names that its resource was told with, it has one.
    """
    process = f"{names.PROMETHEUS_JOB}, {names.INSTANCE}"
    told = last(series(names.RESOURCE, f'{names.RUN}!=""'), window)
    one = f"topk by ({process}) (1, group by ({process}, {names.RUN}) ({told}))"
    return f"{expression} * on ({process}) group_left ({names.RUN}) {one}"


def running(expression: str, by: str, *matchers: str) -> str:
    """Return what is so of jobs that run: what they told of the time to go is void at their end."""
    active = series(names.name(semconv.JOB_ACTIVE), *matchers)
    on = f"and on ({by})"
    return f"{expression} {on} (max by ({by}) ({active}) > 0)"


def of_workers(by: str, metric: semconv.Metric, *matchers: str, latest: bool = True) -> str:
    """Return the sum by labels of what each worker has told last: one that Ray started again is the same worker."""
    told = series(names.name(metric), *matchers, f'{names.WORKER}!=""')
    each = f"max by ({by}, {names.WORKER}) ({last(told) if latest else told})"
    return total(by, each)


def progress(by: str, metric: semconv.Metric, *matchers: str, latest: bool = True) -> str:
    """Return what a job has come to: as its own process says, else its workers together.

    Args:
        by: labels that tell apart what is counted each on its own.
        metric: share, items done, or items there are.
        *matchers: which series.
        latest: the last value in the time range, also of a series that has ended.
    """
    own = series(names.name(metric), *matchers, f'{names.WORKER}=""')
    said = f"max by ({by}) ({last(own) if latest else own})"
    if metric is not semconv.JOB_PROGRESS:
        return f"{said} or {of_workers(by, metric, *matchers, latest=latest)}"
    done = of_workers(by, semconv.JOB_PROGRESS_CURRENT, *matchers, latest=latest)
    limit = of_workers(by, semconv.JOB_PROGRESS_LIMIT, *matchers, latest=latest)
    share = series(names.name(metric), *matchers, f'{names.WORKER}!=""')
    farthest = f"max by ({by}) ({last(share) if latest else share})"  # where all were killed, as with their driver
    return f"{said} or ({done} / ({limit} > 0)) or {farthest}"


def items_rate(by: str, each: str, *matchers: str) -> str:
    """Return how many items are done a second: of a category that a job's own process tells of, as that says.

    Args:
        by: labels to sum by.
        each: labels that tell one category of one job from others.
        *matchers: which series.
    """
    name = names.name(semconv.JOB_ITEMS)
    own, workers = (rate(each, series(name, *matchers, f'{names.WORKER}{is_own}""')) for is_own in ("=", "!="))
    return f"{own} or {workers}" if by == each else total(by, f"{own} or {workers}")


def mean(metric: semconv.Metric, by: str, *matchers: str) -> str:
    """Return the mean of what a histogram has counted in the time range."""
    summed = total(by, grown(series(names.total(metric), *matchers)))
    counted = total(by, grown(series(names.count(metric), *matchers)))
    return f"{summed} / ({counted} > 0)"


def quantile(share: float, metric: semconv.Metric, by: str, *matchers: str, window: str = RANGE) -> str:
    """Return a quantile of what a histogram has counted in a window."""
    counted = grown(series(names.buckets(metric), *matchers), window)
    return f"histogram_quantile({share}, {total(f'le, {by}', counted)})"


def ended(by: str, *matchers: str) -> str:
    """Return how many jobs have ended in the time range."""
    return total(by, grown(series(names.count(semconv.JOB_DURATION), *matchers)))


FAILED: Final = f'{names.RESULT}=~"{semconv.RESULT_FAILURE}|{semconv.RESULT_ERROR}|{semconv.RESULT_TIMEOUT}"'
JUDGED: Final = f'{names.RESULT}!~"{semconv.RESULT_CANCELLATION}|{semconv.RESULT_SKIP}"'
"""Cancelled and skipped jobs say nothing for or against a plugin."""


def failure_share(by: str, *matchers: str) -> str:
    """Return the share of jobs that failed among those that succeeded or failed, 0 to 1."""
    judged = ended(by, *matchers, JUDGED)
    failed = ended(by, *matchers, FAILED)
    return f"({failed} or 0 * {judged}) / ({judged} > 0)"


def shown(label: str) -> str:
    """Return what a legend has for the value of a label."""
    return f"{{{{{label}}}}}"
