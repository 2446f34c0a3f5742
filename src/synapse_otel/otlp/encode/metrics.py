"""Metrics as OTLP: the points of a series, and the metric around them.

Sums and histograms are cumulative, as Prometheus wants them. Times and starts are Unix times in ns; a start is
when the series began to be summed up, so that a reader sees where it began again from zero.
See `opentelemetry/proto/metrics/v1/metrics.proto`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from struct import Struct as Packing
from typing import Any, Final, NamedTuple

from synapse_otel.otlp.encode.values import attributes
from synapse_otel.otlp.encode.wire import DELIMITED, FIXED64, VARINT, delimited, tag, text, unsigned64, varint

_NAME: Final = tag(1, DELIMITED)
_DESCRIPTION: Final = tag(2, DELIMITED)
_UNIT: Final = tag(3, DELIMITED)
_GAUGE: Final = tag(5, DELIMITED)
_SUM: Final = tag(7, DELIMITED)
_HISTOGRAM: Final = tag(9, DELIMITED)
_POINTS: Final = tag(1, DELIMITED)
_CUMULATIVE: Final = tag(2, VARINT) + varint(2)
_MONOTONIC: Final = tag(3, VARINT) + varint(1)

_NUMBER_ATTRIBUTES: Final = tag(7, DELIMITED)
_START: Final = tag(2, FIXED64)[0]
_TIME: Final = tag(3, FIXED64)[0]
_AS_DOUBLE: Final = tag(4, FIXED64)[0]
_AS_INT: Final = tag(6, FIXED64)[0]

_HISTOGRAM_ATTRIBUTES: Final = tag(9, DELIMITED)
_COUNT: Final = tag(4, FIXED64)[0]
_TOTAL: Final = tag(5, FIXED64)[0]
_BUCKETS: Final = tag(6, DELIMITED)
_BOUNDS: Final = tag(7, DELIMITED)
_EXEMPLARS: Final = tag(8, DELIMITED)
_MINIMUM: Final = tag(11, FIXED64)[0]
_MAXIMUM: Final = tag(12, FIXED64)[0]

_EXEMPLAR_TIME: Final = tag(2, FIXED64)[0]
_EXEMPLAR_VALUE: Final = tag(3, FIXED64)[0]
_EXEMPLAR_SPAN: Final = tag(4, DELIMITED)
_EXEMPLAR_TRACE: Final = tag(5, DELIMITED)

_SAMPLE: Final = Packing("<BQBd")
_PACK_DOUBLE_POINT: Final = Packing("<BQBQBd").pack
_PACK_INT_POINT: Final = Packing("<BQBQBq").pack
_PACK_HISTOGRAM_POINT: Final = Packing("<BQBQBQBd").pack
_PACK_EXEMPLAR: Final = Packing("<BQBd").pack
_PACK_RANGE: Final = Packing("<BdBd").pack

_INSTRUMENTS: Final = {
    "gauge": (_GAUGE, b""),
    "counter": (_SUM, _CUMULATIVE + _MONOTONIC),
    "updowncounter": (_SUM, _CUMULATIVE),
    "histogram": (_HISTOGRAM, _CUMULATIVE),
}


class Exemplar(NamedTuple):
    """One of the measurements of a histogram, and where it was made."""

    time: int
    """Unix time in ns."""
    value: float
    span: bytes
    """Trace id (16 bytes) and span id (8)."""


class Distribution(NamedTuple):
    """What a histogram has counted."""

    bounds: Sequence[float]
    """Upper bounds, inclusive, ascending."""
    buckets: Sequence[int]
    """Counts, one more than there are bounds."""
    total: float
    """Sum of the values."""
    minimum: float | None = None
    maximum: float | None = None
    exemplar: Exemplar | None = None


def metric(instrument: str, name: str, unit: str, description: str, points: Iterable[bytes]) -> bytes:
    """Return the body of a ``Metric``.

    Args:
        instrument: ``gauge``, ``counter``, ``updowncounter`` or ``histogram``; others raise `KeyError`.
        name: Of the instrument.
        unit: In UCUM's words.
        description: For readers.
        points: What `gauge_points`, `sum_point` or `histogram_point` returned, of any number of series.

    """
    field, properties = _INSTRUMENTS[instrument]
    head = text(_NAME, name) + text(_DESCRIPTION, description) + text(_UNIT, unit)
    return head + delimited(field, b"".join(points) + properties)


def points_of(
    instrument: str, name: str, unit: str, description: str, values: Mapping[str, Any]
) -> Callable[[int, int, float], bytes]:
    """Return what makes the body of a ``Metric`` with one point of one series: the rest of it is encoded only once.

    The arguments are those of `metric`, and the attributes of the series; an instrument is no histogram.
    """
    field, properties = _INSTRUMENTS[instrument]
    head = text(_NAME, name) + text(_DESCRIPTION, description) + text(_UNIT, unit)
    own = attributes(_NUMBER_ATTRIBUTES, values)

    def encoded(start: int, time: int, value: float) -> bytes:
        if instrument == "gauge":
            point = _SAMPLE.pack(_TIME, unsigned64(time), _AS_DOUBLE, value)
        else:
            point = _number(unsigned64(start), unsigned64(time), value)
        return head + delimited(field, delimited(_POINTS, own + point) + properties)

    return encoded


def gauge_points(values: Mapping[str, Any], samples: Iterable[tuple[int, float]]) -> bytes:
    """Return the points of a gauge's series: all its samples, each a time and a value.

    Args:
        values: Attributes of the series.
        samples: Times, of which those before 1970 become 0, and values, which may be NaN or infinite.

    """
    head = attributes(_NUMBER_ATTRIBUTES, values)
    head = _POINTS + varint(len(head) + _SAMPLE.size) + head
    pack = _SAMPLE.pack
    return b"".join([head + pack(_TIME, unsigned64(time), _AS_DOUBLE, value) for time, value in samples])


def sum_point(values: Mapping[str, Any], start: int, time: int, value: float) -> bytes:
    """Return the point of a counter's or up-down counter's series; a whole number is sent as an integer."""
    point = _number(unsigned64(start), unsigned64(time), value)
    return delimited(_POINTS, attributes(_NUMBER_ATTRIBUTES, values) + point)


def _number(start: int, time: int, value: float) -> bytes:
    if float(value).is_integer() and -(1 << 63) <= value < 1 << 63:
        return _PACK_INT_POINT(_START, start, _TIME, time, _AS_INT, int(value))
    return _PACK_DOUBLE_POINT(_START, start, _TIME, time, _AS_DOUBLE, value)


def histogram_point(values: Mapping[str, Any], start: int, time: int, counted: Distribution) -> bytes:
    """Return the point of a histogram's series.

    Raises:
        ValueError: When there is not one bucket more than there are bounds, which receivers refuse.

    """
    bounds, buckets, total, minimum, maximum, exemplar = counted
    if len(buckets) != len(bounds) + 1:
        raise ValueError(f"{len(bounds)} bounds need {len(bounds) + 1} buckets, not {len(buckets)}")
    count = sum(buckets)
    point = [
        attributes(_HISTOGRAM_ATTRIBUTES, values),
        _PACK_HISTOGRAM_POINT(_START, unsigned64(start), _TIME, unsigned64(time), _COUNT, count, _TOTAL, total),
        delimited(_BUCKETS, Packing(f"<{len(buckets)}Q").pack(*buckets)),
        delimited(_BOUNDS, Packing(f"<{len(bounds)}d").pack(*bounds)),
    ]
    if minimum is not None and maximum is not None:
        point.append(_PACK_RANGE(_MINIMUM, minimum, _MAXIMUM, maximum))
    if exemplar is not None:
        point.append(delimited(_EXEMPLARS, _exemplar(exemplar)))
    return delimited(_POINTS, b"".join(point))


def _exemplar(made: Exemplar) -> bytes:
    measured = _PACK_EXEMPLAR(_EXEMPLAR_TIME, unsigned64(made.time), _EXEMPLAR_VALUE, made.value)
    return measured + delimited(_EXEMPLAR_SPAN, made.span[16:]) + delimited(_EXEMPLAR_TRACE, made.span[:16])
