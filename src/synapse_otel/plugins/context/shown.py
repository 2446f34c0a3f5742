"""A `RuntimeContext` as a notebook shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_otel import semconv
from synapse_otel._card import Bar, card
from synapse_otel.plugins.loggers.console.amounts import count, number, rate, remaining

if TYPE_CHECKING:
    from synapse_otel.mapping.job import Job
    from synapse_otel.plugins.loggers.base import BaseLogger
    from synapse_otel.plugins.loggers.track import Track

_SHOWN = 30


def context_html(job: Job | None, logger: BaseLogger) -> str:
    """Return a context as HTML: its job's name and state, its progress, and the last values of its metrics.

    Args:
        job: None: no job has been started.
        logger: it knows progress and last values.
    """
    facts = {"state": "no job"}
    title = "RuntimeContext"
    if job is not None and not job.is_detached:
        attributes = job.attributes
        names = (attributes.get(key) for key in (semconv.ACTION, semconv.PLUGIN_NAME, semconv.PLUGIN_VERSION))
        kind = " ".join(str(name) for name in names if name)
        title = job.run_name or kind
        result = str((job.finished or {}).get(semconv.JOB_RESULT, "ended"))
        state = result if job.ended else "running"
        step = job.current.name or ""
        facts = {"job": kind, "id": job.id or "", "state": state, "step": "" if job.ended else step}
    over = job is not None and job.ended
    bars = [_bar(name, track, over=over) for name, track in list(logger.tracks.items())[:_SHOWN]]
    values = {
        f"{category}.{name}": _shown(value)
        for category, of_category in logger.get_metrics().items()
        for name, value in of_category.items()
    }
    return card(title, facts, bars, dict(list(values.items())[:_SHOWN]))


def _bar(name: str | None, track: Track, *, over: bool) -> Bar:
    words = (count(track), rate(track), remaining(track, over=over))
    return Bar(name or "whole job", track.share, "  ".join(filter(None, words)))


def _shown(value: object) -> str:
    return number(value) if isinstance(value, int | float) else str(value)[:100]
