"""How far a workflow has come, from the weights of its steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from threading import Lock
from typing import Any, Final

PERCENT: Final = 100
_ROUNDING: Final = 1e-9


class WorkflowProgress:
    """The progress of the whole in percent, told whenever it grows by one.

    Args:
        names: of the steps, in order.
        weights: of the steps; if all are 0, each step counts the same.
        tell: is told each new percentage, 1 to 100.

    Raises:
        ValueError: a weight is negative or not finite.
    """

    def __init__(self, names: Sequence[str], weights: Sequence[float], tell: Callable[[int], None]) -> None:
        for name, weight in zip(names, weights, strict=True):
            if not _is_weight(weight):
                msg = f"progress_weight of step {name!r} must be a number of 0 or more, not {weight!r}"
                raise ValueError(msg)
        total = sum(weights)
        shares = [weight / total if total else 1 / len(weights) for weight in weights]
        self._starts = [PERCENT * start for start in accumulate(shares, initial=0.0)]
        self._tell = tell
        self._told = 0
        self._lock = Lock()

    def done(self, order: int, share: float = 1.0) -> None:
        """Take in that a step is done, or a share of it.

        Args:
            order: place of the step, from 0; those before it are done.
            share: 0 to 1.
        """
        start, end = self._starts[order], self._starts[order + 1]
        percent = min(PERCENT, int(start + (end - start) * share + _ROUNDING))
        if percent <= self._told:
            return
        with self._lock:
            if percent <= self._told:
                return
            self._told = percent
        self._tell(percent)


def share_of(current: Any, total: Any) -> float | None:
    """Return which share of a step is done, 0 to 1; None where a test's double took what is no progress."""
    try:
        share = float(current / total)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return share if 0 <= share <= 1 else None


def _is_weight(weight: Any) -> bool:
    return isinstance(weight, int | float) and not isinstance(weight, bool) and math.isfinite(weight) and weight >= 0
