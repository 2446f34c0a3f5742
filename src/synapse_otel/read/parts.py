"""What a run is made of: metrics as arrays, and messages."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from synapse_otel.runs.live.samples import Samples


class IncompleteWarning(UserWarning):
    """A run, or some of its records, cannot be read, or is not on this machine any more."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Metric:
    """The samples of a metric, in order of time. The arrays are numpy's where it is installed, else `array.array`."""

    category: str
    """Empty if it has none."""
    name: str
    unit: str
    times: Any
    """Unix times in ns: 64-bit integers, of shape (samples,)."""
    values: Any
    """64-bit floats, of shape (samples,)."""

    @classmethod
    def of(cls, series: Sequence[Samples]) -> Self:
        """Return one or several series of a metric, of several workers perhaps, as one."""
        first = series[0]
        times, values = first.times[:], first.values[:]
        if len(series) > 1:
            points = sorted((point for one in series for point in zip(one.times, one.values, strict=True)), key=_time)
            times = array("q", (time for time, _value in points))
            values = array("d", (value for _time, value in points))
        return cls(first.category, first.metric, first.unit, _as_array(times), _as_array(values))

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        name = f"{self.category}/{self.name}" if self.category else self.name
        return f"<Metric {name}: {len(self):,} samples, last {self.last:g}>"

    @property
    def last(self) -> float:
        """The last value."""
        return float(self.values[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A log record: a message, an event, an exception, or a line of Python's logging."""

    time: int
    """Unix time in ns."""
    severity: int
    """As in OpenTelemetry: 5 DEBUG, 9 INFO, 10 success, 13 WARN, 17 ERROR, 21 FATAL."""
    kind: str
    """``message``, ``event``, ``developer``, ``exception``, ``life`` (the job's beginning or end) or ``logging``."""
    context: str
    """The context of a message, given by its author; empty for other records."""
    category: str
    event: str
    """Name of the event; empty for a line of logging."""
    text: str
    data: dict[str, Any]
    """The caller's data, nested names joined with dots."""
    attributes: dict[str, Any]
    """All attributes of the record, ``data`` among them."""
    span_id: str
    """16 hexadecimal digits."""


def _time(point: tuple[int, float]) -> int:
    return point[0]


def _as_array(values: array[Any]) -> Any:
    try:
        import numpy as np
    except ImportError:
        return values
    return np.array(values)
