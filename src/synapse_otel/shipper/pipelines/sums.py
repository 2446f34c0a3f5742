"""Sums of the measurements in a journal: cumulative counters and histograms, one per series.

They are part of the metrics pipeline's cursor: the sums and the position in the journal change together.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import msgspec

from synapse_otel.journal.frames import Series
from synapse_otel.otlp.encode.metrics import Distribution, Exemplar, histogram_point, metric, sum_point


class Sum(msgspec.Struct):
    """One series and what its measurements add up to."""

    instrument: str
    name: str
    unit: str
    description: str
    attributes: dict[str, Any]
    bounds: list[float]
    total: float = 0.0
    buckets: list[int] = []
    minimum: float | None = None
    maximum: float | None = None
    exemplar: Exemplar | None = None
    """The last measurement made in a span."""

    def add(self, value: float, exemplar: Exemplar | None = None) -> None:
        """Add a measurement."""
        self.total += value
        if self.instrument == "histogram":
            if not self.buckets:
                self.buckets = [0] * (len(self.bounds) + 1)
            self.buckets[bisect_left(self.bounds, value)] += 1
            self.minimum = value if self.minimum is None else min(self.minimum, value)
            self.maximum = value if self.maximum is None else max(self.maximum, value)
            self.exemplar = exemplar or self.exemplar

    def encode(self, start: int, time: int) -> bytes:
        """Return the ``Metric`` with the point of this series."""
        if self.instrument == "histogram":
            counted = Distribution(self.bounds, self.buckets, self.total, self.minimum, self.maximum, self.exemplar)
            point = histogram_point(self.attributes, start, time, counted)
        else:
            point = sum_point(self.attributes, start, time, self.total)
        return metric(self.instrument, self.name, self.unit, self.description, [point])


class Sums:
    """All sums of a journal, by instrument and attributes."""

    def __init__(self, kept: list[Any] | None = None) -> None:
        self._sums = {_key(found.name, found.attributes): found for found in msgspec.convert(kept or [], list[Sum])}

    def add(self, series: Series, value: float, exemplar: Exemplar | None = None) -> None:
        """Add a measurement of a series."""
        key = _key(series.name, series.attributes)
        found = self._sums.get(key)
        if found is None:
            found = self._sums[key] = Sum(
                series.instrument,
                series.name,
                series.unit,
                series.description,
                series.attributes,
                series.bounds,
            )
        found.add(value, exemplar)

    def total(self, name: str, attributes: dict[str, Any]) -> float:
        """Return the sum of a series' measurements; 0 if there are none."""
        found = self._sums.get(_key(name, attributes))
        return found.total if found else 0.0

    def all(self) -> list[Sum]:
        """Return every sum."""
        return list(self._sums.values())

    def kept(self) -> list[Any]:
        """Return the sums as the cursor keeps them."""
        return [msgspec.to_builtins(found) for found in self._sums.values()]


def _key(name: str, attributes: dict[str, Any]) -> str:
    return f"{name} {sorted(attributes.items())!r}"
