"""The values of a metric, stored compactly and thinned out for drawing without losing peaks."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from typing import NamedTuple

from synapse_otel.runs.live.entry import Json


class Points(NamedTuple):
    """Points of a curve: their times in Unix milliseconds, values, and numbers among all of the curve."""

    t: list[float]
    v: list[float]
    n: list[int]


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
    ) -> Points:
        """Return the curve in about ``points`` points between two times in Unix ms, or between two numbers.

        If there are more, each bucket of neighbours is drawn as its minimum and maximum, in their order;
        with ``mean`` as their mean, which a smoothed curve uses.
        """
        first, last = self.range(begin, end, by_number=by_number)
        if last - first <= points:
            places = list(range(first, last))
            return Points([self.times[at] / 1e6 for at in places], self.values[first:last].tolist(), places)
        return self._means(points, first, last) if mean else self._extremes(points, first, last)

    def _extremes(self, points: int, first: int, last: int) -> Points:
        values, times = self.values, self.times
        places: list[int] = [first]
        buckets = max(points // 2, 1)
        for bucket in range(buckets):
            begin = first + (last - first) * bucket // buckets
            part = values[begin : first + (last - first) * (bucket + 1) // buckets]
            least, most = begin + part.index(min(part)), begin + part.index(max(part))
            places += sorted({least, most})
        places.append(last - 1)
        places = sorted(set(places))
        return Points([times[at] / 1e6 for at in places], [values[at] for at in places], places)

    def _means(self, points: int, first: int, last: int) -> Points:
        found = Points([], [], [])
        for bucket in range(points):
            begin = first + (last - first) * bucket // points
            part = self.values[begin : first + (last - first) * (bucket + 1) // points]
            middle = begin + len(part) // 2
            found.t.append(self.times[middle] / 1e6)
            found.v.append(sum(part) / len(part))
            found.n.append(middle)
        return found

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
