"""The tracer, logger and instruments of the context API, from whatever providers the process has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry._logs import NoOpLogger
from opentelemetry.metrics import CallbackOptions, Meter, NoOpMeter, Observation

from synapse_otel._version import __version__
from synapse_otel.journal.state import Progress, ProgressSlot, SlotKind, StateBlock
from synapse_otel.otel_seam import get_logger, get_logger_provider, unset_providers
from synapse_otel.signals import semconv
from synapse_otel.signals.readings import COUNTERS, PROGRESS, slot_attributes

BLOCK: Final = StateBlock()
"""The process's state block: what the observable instruments read, and our recorder puts beside its journal."""

JOB_ATTRIBUTES: Final[dict[bytes, dict[str, Any]]] = {}
"""By the job's key in the state block: the attributes of its metrics. An ended job leaves when it was last read."""


class Instruments:
    """What a job records with. Signals without a provider get OpenTelemetry's no-op, never a proxy."""

    def __init__(self) -> None:
        unset = unset_providers()
        self.tracer = trace.NoOpTracer() if "traces" in unset else trace.get_tracer(semconv.SCOPE_NAME, __version__)
        logger = (
            NoOpLogger(semconv.SCOPE_NAME) if "logs" in unset else get_logger(semconv.SCOPE_NAME, __version__)
        )
        self.emit = logger.emit
        meter: Meter = (
            NoOpMeter(semconv.SCOPE_NAME)
            if "metrics" in unset
            else metrics.get_meter(semconv.SCOPE_NAME, __version__)
        )
        gauge, active = semconv.JOB_METRIC, semconv.JOB_ACTIVE
        self.samples = Samples(meter.create_gauge(gauge.name, gauge.unit, gauge.description))
        self.active = meter.create_up_down_counter(active.name, active.unit, active.description)
        self.job_duration = _histogram(meter, semconv.JOB_DURATION)
        self.step_duration = _histogram(meter, semconv.STEP_DURATION)
        _observe(meter)


class Samples:
    """The gauge of the plugin's own metrics. An instrument that can bind attributes is given all values at once."""

    __slots__ = ("_gauge", "bind", "record")

    def __init__(self, gauge: Any) -> None:
        self._gauge = gauge
        self.bind: Callable[[dict[str, Any]], Any] = getattr(gauge, "bind", dict)
        """Turn attributes into what `record` takes for them."""
        self.record: Callable[[list[Any]], None] = getattr(gauge, "set_many", self._set_each)
        """Record a list of bound attributes and value, alternately."""

    def _set_each(self, pairs: list[Any]) -> None:
        for attributes, value in zip(pairs[::2], pairs[1::2], strict=True):
            self._gauge.set(value, attributes)


def _histogram(meter: Meter, metric: semconv.Metric) -> metrics.Histogram:
    return meter.create_histogram(
        metric.name,
        metric.unit,
        metric.description,
        explicit_bucket_boundaries_advisory=semconv.DURATION_BUCKETS,
    )


def _observe(meter: Meter) -> None:
    for metric, read in PROGRESS.items():
        create = meter.create_observable_counter if metric.instrument == "counter" else meter.create_observable_gauge
        create(metric.name, [_progress_callback(read)], metric.unit, metric.description)
    for kind, (metric, label) in COUNTERS.items():
        callback = _counter_callback(kind, label)
        meter.create_observable_counter(metric.name, [callback], metric.unit, metric.description)


def _progress_callback(
    read: Callable[[Progress], float | None],
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_options: CallbackOptions) -> Iterable[Observation]:
        for kind, job, text, slot in BLOCK.items():
            if kind == SlotKind.PROGRESS and isinstance(slot, ProgressSlot) and job in JOB_ATTRIBUTES:
                progress = slot.value()
                value = read(progress) if progress else None
                if value is not None:
                    yield Observation(value, slot_attributes(JOB_ATTRIBUTES[job], semconv.CATEGORY, text))

    return observe


def _counter_callback(kind: SlotKind, label: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_options: CallbackOptions) -> Iterable[Observation]:
        for slot_kind, job, text, slot in BLOCK.items():
            if slot_kind == kind and not isinstance(slot, ProgressSlot) and job in JOB_ATTRIBUTES:
                yield Observation(slot.value(), slot_attributes(JOB_ATTRIBUTES[job], label, text))

    return observe


_made: list[tuple[tuple[object, ...], Instruments]] = []


def instruments() -> Instruments:
    """Return the instruments of the providers that are set now."""
    providers = (trace.get_tracer_provider(), metrics.get_meter_provider(), get_logger_provider())
    if not _made or any(old is not new for old, new in zip(_made[-1][0], providers, strict=True)):
        _made[:] = [(providers, Instruments())]
    return _made[-1][1]
