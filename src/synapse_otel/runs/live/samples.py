"""The values of a metric, stored compactly and thinned out for drawing without losing peaks."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

from synapse_otel.runs.live.entry import Json

X_METRICS: Final = ("global_step", "step", "iteration", "epoch")
"""Metrics that are the horizontal axis of those reported in the same calls, the best first."""
_RANKED: Final = 20_000
"""Values, evenly spread, of which percentiles are taken: a sample of so many is exact enough for an axis."""

_SPARSE: Final = 16
"""Samples of an axis for each of a curve from which on searching is faster than going through all."""
_FEW: Final = 20
"""Of fewer values none is an outlier."""


class Points(NamedTuple):
    """Points of a curve: their times in Unix milliseconds, values, and numbers among all of the curve."""

    t: list[float]
    v: list[float]
    n: list[int]
    x: list[float] | None = None
    """Values of the metric that is the horizontal axis, if one is."""
    usual: tuple[float, float] | None = None
    """Between which values the curve is without its outliers, if that was asked for."""


def drawn(
    places: tuple[int, int], points: int, values: array[float], *, mean: bool = False
) -> tuple[list[int], list[float]]:
    """Return the numbers and values of about ``points`` points for the values between two places.

    If there are more, each bucket of neighbours is drawn as its minimum and maximum, in their order;
    with ``mean`` as their mean, which a smoothed curve uses.
    """
    first, last = places
    if last - first <= points:
        return list(range(first, last)), values[first:last].tolist()
    if mean:
        return _means(values, points, first, last)
    chosen = _extremes(values, points, first, last)
    return chosen, [values[at] for at in chosen]


def usual(values: Sequence[float], percent: float) -> tuple[float, float] | None:
    """Return the range of values without a share, in percent, of the lowest and of the highest; None of too few."""
    if len(values) < _FEW:
        return None
    ranked = sorted(values[:: max(len(values) // _RANKED, 1)])
    cut = min(math.ceil(len(ranked) * percent / 100), (len(ranked) - 1) // 2)
    return ranked[cut], ranked[-1 - cut]


class Samples:
    """The values of one series with their times in Unix ns, in the order of recording: 16 bytes each."""

    __slots__ = ("_known", "_least", "_most", "category", "instrument", "metric", "name", "times", "unit", "values")

    def __init__(self, *, name: str, metric: str, category: str, unit: str, instrument: str) -> None:
        self.name = name
        """Of the instrument."""
        self.metric = metric
        """The plugin's own name of the metric; the instrument's for anything else."""
        self.category = category
        self.unit = unit
        self.instrument = instrument
        self.times = array("q")
        self.values = array("d")
        self._known = 0
        self._least = math.inf
        self._most = -math.inf

    def __len__(self) -> int:
        return len(self.values)

    def sort(self) -> None:
        """Put values of several journals into the order of time."""
        order = sorted(range(len(self.times)), key=self.times.__getitem__)
        # Referenced by position: the code that fills them knows it.
        self.times[:] = array("q", map(self.times.__getitem__, order))
        self.values[:] = array("d", map(self.values.__getitem__, order))

    def range(self, begin: float | None, end: float | None, *, by_number: bool = False) -> tuple[int, int]:
        """Return the places of the values between two times in Unix ms, or two numbers, with a neighbour each side."""
        if by_number:
            first = min(max(int(begin or 0) - 1, 0), len(self))
            return first, max(first, len(self) if end is None else min(max(int(end), 0) + 2, len(self)))
        first = 0 if begin is None else max(bisect_left(self.times, int(begin * 1e6)) - 1, 0)
        last = len(self) if end is None else min(bisect_right(self.times, int(end * 1e6)) + 1, len(self))
        return first, max(first, last)

    def drawn(
        self,
        points: int,
        begin: float | None = None,
        end: float | None = None,
        *,
        by_number: bool = False,
        mean: bool = False,
        cut: float = 0.0,
    ) -> Points:
        """Return the curve in about ``points`` points between two times in Unix ms, or between two numbers.

        If there are more, each bucket of neighbours is drawn as its minimum and maximum, in their order;
        with ``mean`` as their mean, which a smoothed curve uses. ``cut`` is the percentage of values at either end
        that `Points.usual` leaves out.
        """
        first, last = self.range(begin, end, by_number=by_number)
        chosen, values = drawn((first, last), points, self.values, mean=mean)
        span = usual(self.values[first:last], cut) if cut else None
        return Points([self.times[at] / 1e6 for at in chosen], values, chosen, usual=span)

    def is_along(self, other: Samples) -> bool:
        """Return whether this seems to be reported in the same calls as another: first, last and one in the middle."""
        if not len(self) or other is self:
            return False
        for time in (self.times[0], self.times[len(self) // 2], self.times[-1]):
            at = bisect_left(other.times, time)
            if at == len(other) or other.times[at] != time:
                return False
        return True

    def along(self, other: Samples) -> Along:
        """Return the samples that were reported in one call with one of another series, in the order of its values."""
        return Along(self, other)

    def told(self, number: int) -> Json:
        """Return the description of a series without its points."""
        values = self.values
        least, most = self._extent()
        return {
            "id": number,
            "name": self.metric,
            "category": self.category,
            "unit": self.unit,
            "count": len(values),
            "first": values[0],
            "last": values[-1],
            "min": least,
            "max": most,
        }

    def _extent(self) -> tuple[float, float]:
        """Return the minimum and maximum; each value is read once, even with many calls."""
        new = self.values[self._known :]
        if new:
            self._known += len(new)
            self._least, self._most = min(self._least, min(new)), max(self._most, max(new))  # noqa: PLW3301 - no copies
        return self._least, self._most


class Along:
    """Samples over the values of a metric that the same calls reported: a call's samples have the same time.

    It is valid until more is read of the run.

    Args:
        samples: what is drawn.
        other: the horizontal axis. Samples without one of it at the same time are left out.
    """

    def __init__(self, samples: Samples, other: Samples) -> None:
        self.x = array("d")
        self.times = array("q")
        self.values = array("d")
        if samples.times == other.times:
            self.x, self.times, self.values = other.values, samples.times, samples.values
        else:
            self._join(samples, other)
        xs = self.x
        if not _rises(xs):  # it was resumed, or is no count
            order = sorted(range(len(xs)), key=xs.__getitem__)
            self.x = array("d", map(xs.__getitem__, order))
            self.times = array("q", map(self.times.__getitem__, order))
            self.values = array("d", map(self.values.__getitem__, order))

    def _join(self, samples: Samples, other: Samples) -> None:
        at, times, count = 0, other.times, len(other.times)
        sparse = count > _SPARSE * len(samples)
        for time, value in zip(samples.times, samples.values, strict=True):
            if sparse:
                at = bisect_left(times, time, at)
            else:
                while at < count and times[at] < time:
                    at += 1
            if at == count:
                break
            if times[at] == time:
                self.x.append(other.values[at])
                self.times.append(time)
                self.values.append(value)

    def drawn(
        self, points: int, begin: float | None = None, end: float | None = None, *, mean: bool = False, cut: float = 0.0
    ) -> Points:
        """Return the curve in about ``points`` points between two values of the axis; as `Samples.drawn`."""
        first = 0 if begin is None else max(bisect_left(self.x, begin) - 1, 0)
        last = len(self.x) if end is None else min(bisect_right(self.x, end) + 1, len(self.x))
        last = max(first, last)
        chosen, values = drawn((first, last), points, self.values, mean=mean)
        span = usual(self.values[first:last], cut) if cut else None
        return Points(
            [self.times[at] / 1e6 for at in chosen], values, chosen, x=[self.x[at] for at in chosen], usual=span
        )


def _rises(values: array[float]) -> bool:
    last = -math.inf
    for value in values:
        if value < last:
            return False
        last = value
    return True


def _extremes(values: array[float], points: int, first: int, last: int) -> list[int]:
    places: list[int] = [first]
    buckets = max(points // 2, 1)
    for bucket in range(buckets):
        begin = first + (last - first) * bucket // buckets
        part = values[begin : first + (last - first) * (bucket + 1) // buckets]
        places += (begin + part.index(min(part)), begin + part.index(max(part)))
    places.append(last - 1)
    return sorted(set(places))


def _means(values: array[float], points: int, first: int, last: int) -> tuple[list[int], list[float]]:
    middles, means = [], []
    for bucket in range(points):
        begin = first + (last - first) * bucket // points
        part = values[begin : first + (last - first) * (bucket + 1) // points]
        middles.append(begin + len(part) // 2)
        means.append(sum(part) / len(part))
    return middles, means
