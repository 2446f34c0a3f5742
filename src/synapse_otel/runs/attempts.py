"""The runs of one job, resumed after its process was gone, as one entry with its attempts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from synapse_otel.runs.overview import Overview


def by_job(found: Iterable[Overview]) -> list[list[Overview]]:
    """Return runs by job, each knowing which of its job's attempts it is; the job that began last stands last.

    A run without a job, or whose job has no id, is alone.

    Args:
        found: the runs, the oldest first.
    """
    groups: dict[object, list[Overview]] = {}
    for one in found:
        key = one.job_key or one.folders[0]
        groups[key] = [*groups.pop(key, []), one]
    return [
        [replace(one, attempt=at, attempts=len(group)) for at, one in enumerate(group, 1)] for group in groups.values()
    ]
