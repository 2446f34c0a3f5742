"""Loops that are written by hand, over epochs, batches or folds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from synapse_otel.integrations.reporting import Context, Reporting

_Item = TypeVar("_Item")


def track(
    context: Context,
    items: Iterable[_Item],
    category: str | None = "training",
    *,
    total: int | None = None,
    first: int = 0,
) -> Iterator[_Item]:
    """Return the items one by one, and set the progress when each has been worked on.

    Args:
        context: a `RuntimeContext`, or the context of a step.
        items: what is looped over.
        category: of the progress; None is that of the step, or the job as a whole.
        total: how many there are; their ``len()`` and ``first`` if not given. Without either there is no progress.
        first: how many were done before, of a training that is resumed.

    Raises:
        TypeError, ValueError: an argument is wrong.

    A loop that is left by ``break`` or an exception leaves its progress where it is.
    """
    reporting = Reporting(context, category)
    for name, number in (("total", total), ("first", first)):
        if number is not None and (not isinstance(number, int) or number < 0):
            msg = f"{name} must be a whole number from 0 on, got {number!r}"
            raise ValueError(msg)
    if total is None and isinstance(items, Sized):
        total = first + len(items)
    return _tracked(reporting, items, total, first)


def _tracked(reporting: Reporting, items: Iterable[_Item], total: int | None, first: int) -> Iterator[_Item]:
    done = first
    with reporting:
        reporting.progress(done, total)
    for done, item in enumerate(items, first + 1):
        yield item
        with reporting:
            reporting.progress(done, total)
