"""The samples of a run, and which of them a backend holds: some bytes a sample, a million in one series or in many.

A series is sent with at most one sample a millisecond, as Prometheus holds one: samples of a burst are spaced out, and
merged where that is not enough (`shipper.pipelines.sample_spacing`). Which ones were merged depends on the requests
they were in. So a sample that was not displaced that far is expected at its exact millisecond; of a burst beyond it,
the values are expected in their order within the burst's time.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from synapse_otel import semconv
from synapse_otel.journal.frames import Series as Defined
from synapse_otel.semconv.prometheus import label, series
from synapse_otel.shipper.pipelines.replay import RecordedSample
from synapse_otel.shipper.pipelines.sample_spacing import AHEAD, MILLISECOND, RESERVE


class Key(NamedTuple):
    """What names a series in Prometheus: labels that are its own, those of the resource left out."""

    name: str
    instance: str
    labels: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, defined: Defined, instance: str) -> Key:
        """Return the key of a gauge's series; ``instance`` is the `service.instance.id`."""
        metric = semconv.Metric(defined.name, "gauge", defined.unit, "")
        return cls(series(metric)[0], instance, labels(defined.attributes))

    @property
    def job(self) -> str:
        """The job's id; empty if the series has none."""
        return dict(self.labels).get(label(semconv.JOB_ID), "")

    def __str__(self) -> str:
        """Return it as Prometheus writes a series."""
        own = sorted(pair for pair in self.labels if pair[0] != label(semconv.JOB_ID))
        return self.name + "{" + ", ".join(f'{name}="{value}"' for name, value in own) + "}"


def labels(attributes: dict[str, object]) -> frozenset[tuple[str, str]]:
    """Return attributes as labels; Prometheus does not have those without a value."""
    return frozenset((label(name), str(value)) for name, value in attributes.items() if value != "")


@dataclass(slots=True)
class Burst:
    """Samples of a series that came faster than one a millisecond, for so long that some were merged."""

    begin: int
    """Unix time in ms of the first..."""
    last: int
    """... and at which the last was placed."""
    values: array[float] = field(default_factory=lambda: array("d"))
    """In the order in which they were recorded."""
    found: bytearray = field(default_factory=bytearray)
    """By value, whether it was found."""

    @property
    def end(self) -> int:
        """Unix time in ms after which no sample of it can be."""
        return self.last + RESERVE + 1


_FURTHEST: Final = 2 * (AHEAD + RESERVE)
"""Milliseconds before a burst's first place at which its samples were recorded; before that, the clock was set back."""
FOUND: Final = 1
DIFFERENT: Final = 2
SHARED: Final = 3
"""Another sample has the same millisecond: the backend can hold one."""


class SeriesSamples:
    """The samples of one series. Times are Unix times in ms."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.times = array("q")
        self.values = array("d")
        self.states = bytearray()
        """By sample: 0 while it is missing, `FOUND`, `DIFFERENT` or `SHARED`."""
        self.bursts: list[Burst] = []
        self.double = 0
        """Samples that stand in the backend twice, in series that differ in other labels."""
        self.strange = array("q")
        """Times of the samples in the backend that nobody recorded."""
        self._burst: Burst | None = None
        self._left: list[tuple[int, float]] = []

    # --- what was recorded --------------------------------------------------------------------------

    def add(self, sample: RecordedSample) -> None:
        """Add a sample, in the order of the journal."""
        recorded = sample.recorded // MILLISECOND
        placed = None if sample.placed is None else sample.placed // MILLISECOND
        burst = self._burst
        if burst is not None and burst.begin - _FURTHEST <= recorded <= burst.end:
            burst.values.append(sample.value)
            burst.last = max(burst.last, placed or 0)
            return
        self._burst = None
        if placed is not None and placed - recorded <= AHEAD:
            self.times.append(max(placed, 0))  # before 1970 is sent as 1970
            self.values.append(sample.value)
        else:
            self._begin_burst(placed, sample.value)

    def _begin_burst(self, placed: int | None, value: float) -> None:
        """Begin a burst; the sample before it may have been merged with this one."""
        burst = Burst(placed or 0, placed or 0)
        if self.times:
            burst.begin = self.times.pop()
            burst.last = max(burst.last, burst.begin)
            burst.values.append(self.values.pop())
        burst.values.append(value)
        self.bursts.append(burst)
        self._burst = burst

    def settle(self) -> None:
        """Sort what was added by time: a clock may have been set back."""
        self._burst = None
        times, values = self.times, self.values
        if any(before > after for before, after in pairwise(times)):
            order = sorted(range(len(times)), key=times.__getitem__)
            self.times = array("q", [times[at] for at in order])
            self.values = array("d", [values[at] for at in order])
        self.states = bytearray(len(times))
        for burst in self.bursts:
            burst.found = bytearray(len(burst.values))

    def placed(self) -> array[int]:
        """Return the ascending times at which the backend may hold a sample."""
        if not self.bursts:
            return self.times
        return array("q", sorted([*self.times, *(ms for one in self.bursts for ms in range(one.begin, one.end + 1))]))

    @property
    def expected(self) -> int:
        """How many samples were recorded."""
        return len(self.times) + sum(len(burst.values) for burst in self.bursts)

    # --- what was found -----------------------------------------------------------------------------

    def match(self, found: list[tuple[int, float]]) -> None:
        """Compare with samples that the backend holds, each time and value, by time; pages come in any order."""
        times, values, states = self.times, self.values, self.states
        at = bisect_left(times, found[0][0]) if found else 0
        size = len(times)
        for time, value in found:
            if at < size and times[at] < time:
                at = at + 1 if at + 1 < size and times[at + 1] >= time else bisect_left(times, time, at)
            if at >= size or times[at] != time:
                self._left.append((time, value))
            elif at + 1 < size and times[at + 1] == time:
                self._match_shared(at, time, value)
            elif states[at]:
                self.double += 1
            else:
                states[at] = FOUND if values[at] == value else DIFFERENT

    def _match_shared(self, at: int, time: int, value: float) -> None:
        """Compare with samples that have the same millisecond: one of them is held."""
        among = range(at, bisect_right(self.times, time, at))
        if any(self.states[one] for one in among):
            self.double += 1
            return
        equal = next((one for one in among if self.values[one] == value), None)
        for one in among:
            self.states[one] = SHARED
        self.states[among[0] if equal is None else equal] = DIFFERENT if equal is None else FOUND

    def finish(self) -> None:
        """Compare what is left with the bursts; of missing samples with the same time, one could have been held."""
        for at in range(1, len(self.times)):
            if self.times[at] == self.times[at - 1] and not self.states[at]:
                self.states[at] = SHARED
        self._left.sort()
        places = {id(burst): 0 for burst in self.bursts}
        for time, value in self._left:
            for burst in self.bursts:
                if burst.begin <= time <= burst.end:
                    place = _next(burst.values, value, places[id(burst)])
                    if place is not None:
                        burst.found[place] = FOUND
                        places[id(burst)] = place + 1
                        break
            else:
                self.strange.append(time)
        self._left = []

    # --- what became of it --------------------------------------------------------------------------

    @property
    def found(self) -> int:
        """How many samples were found with their values."""
        return self.states.count(FOUND) + sum(burst.found.count(FOUND) for burst in self.bursts)

    @property
    def shared(self) -> int:
        """How many samples have the same millisecond as another one, which the backend can hold instead."""
        return self.states.count(SHARED)

    @property
    def unmatched(self) -> int:
        """How many samples of bursts were not found: merged into newer ones, if nothing was lost."""
        return sum(burst.found.count(0) for burst in self.bursts)

    def is_missing(self, time: int) -> bool:
        """Return whether a sample outside of bursts, placed at this Unix time in ns, is missing."""
        millisecond = max(time // MILLISECOND, 0)
        at = bisect_left(self.times, millisecond)
        return at < len(self.times) and self.times[at] == millisecond and not self.states[at]

    def missing(self) -> Iterator[tuple[int, float]]:
        """Yield the missing samples outside of bursts."""
        at = self.states.find(0)
        while at != -1:
            yield self.times[at], self.values[at]
            at = self.states.find(0, at + 1)

    def different(self) -> Iterator[tuple[int, float]]:
        """Yield the samples that the backend holds with another value."""
        at = self.states.find(DIFFERENT)
        while at != -1:
            yield self.times[at], self.values[at]
            at = self.states.find(DIFFERENT, at + 1)


def _next(values: array[float], value: float, begin: int) -> int | None:
    try:
        return values.index(value, begin)
    except ValueError:
        return None
