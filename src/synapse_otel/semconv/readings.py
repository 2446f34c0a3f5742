"""How metrics follow from the slots of the state block: for observable instruments here, and for the shipper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from math import isfinite
from typing import Any, Final

from synapse_otel import semconv
from synapse_otel.semconv.progress import Progress


class SlotKind(IntEnum):
    """What a slot holds."""

    PROGRESS = 1
    MESSAGES = 2
    EVENTS = 3
    UPDATES = 4
    NONFINITE = 5
    HELD = 6
    """Number of a worker's current tasks with the context of a step, whose name is the text."""


COUNTERS: Final[dict[SlotKind, tuple[semconv.Metric, str]]] = {
    SlotKind.MESSAGES: (semconv.JOB_MESSAGES, semconv.MESSAGE_CONTEXT),
    SlotKind.EVENTS: (semconv.JOB_EVENTS, semconv.EVENT_NAME_LABEL),
    SlotKind.UPDATES: (semconv.JOB_METRIC_UPDATES, semconv.CATEGORY),
    SlotKind.NONFINITE: (semconv.JOB_METRIC_NONFINITE, semconv.CATEGORY),
}
"""By kind of slot: the counter that reads it, and the attribute that holds the slot's text."""


def _finite(read: Callable[[Progress], float | None]) -> Callable[[Progress], float | None]:
    """Have a reading that is infinite, as the limit of what has no known end, count as none."""

    def reading(progress: Progress) -> float | None:
        value = read(progress)
        return value if value is not None and isfinite(value) else None

    return reading


PROGRESS: Final[dict[semconv.Metric, Callable[[Progress], float | None]]] = {
    semconv.JOB_PROGRESS: lambda progress: progress.ratio,
    semconv.JOB_PROGRESS_CURRENT: _finite(lambda progress: progress.current),
    semconv.JOB_PROGRESS_LIMIT: _finite(lambda progress: progress.limit),
    semconv.JOB_PROGRESS_TIME: lambda progress: progress.time / 1e9,
    semconv.JOB_ETA: _finite(lambda progress: progress.eta_seconds),
    semconv.JOB_ITEMS: _finite(lambda progress: progress.items),
}
"""By metric: how its value follows from a progress slot; None where there is none."""


def slot_attributes(job: Mapping[str, Any], label: str, text: str) -> dict[str, Any]:
    """Return the attributes of a slot's points; a slot without text belongs to the job as a whole."""
    return {**job, label: text} if text else dict(job)


def unnamed_worker(journal: str) -> str:
    """Return the `semconv.WORKER_ID` of a process that was handed no context and has none: the child of a fork."""
    return journal[:_UNNAMED]


_UNNAMED: Final = 16
