"""The tracer, logger and instruments of the context API, from whatever providers the process has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Meter, NoOpMeter, Observation

from synapse_otel import semconv
from synapse_otel._otel_private import Logger, NoOpLogger, SeverityNumber, get_logger_provider, unset_providers
from synapse_otel._version import __version__
from synapse_otel.journal.memory.slots import ProgressSlot
from synapse_otel.journal.state_block import StateBlock
from synapse_otel.semconv.progress import Progress
from synapse_otel.semconv.readings import COUNTERS, PROGRESS, SlotKind, slot_attributes

BLOCK: Final = StateBlock()
"""The process's state block: observable instruments read it, and our recorder stores it with its journal."""

JOB_ATTRIBUTES: Final[dict[bytes, dict[str, Any]]] = {}
"""By the job's key in the state block: the attributes of its metrics."""
_ENDED: Final[dict[bytes, float]] = {}
"""By the key of a job that has ended: the monotonic time at which its series stop, the oldest first."""
ENDED_SECONDS: Final = 60.0
"""What an ended job's last values are observed for: the default interval of the SDK's readers, so that each of
several readers sees them; a reader that comes later still sees them once."""
ENDED_LIMIT: Final = 256
"""Maximum number of ended jobs to observe; without a reader, they would stay for ever."""


class Instruments:
    """The instruments of a job. Signals without a provider get OpenTelemetry's no-op, never a proxy."""

    def __init__(self) -> None:
        scope = semconv.SCOPE_NAME, __version__
        unset = unset_providers() - set(_BESIDE)
        tracers, meters, loggers = _providers()
        self.tracer: trace.Tracer = trace.NoOpTracer() if "traces" in unset else tracers.get_tracer(*scope)
        logger = NoOpLogger(semconv.SCOPE_NAME) if "logs" in unset else loggers.get_logger(*scope)
        self.emit: Emit = getattr(logger, "append_record", None) or emit_through(logger)
        self.template: Callable[..., Any] | None = getattr(logger, "template", None)
        """Creates appenders for similar log records; None if the logger is not our recorder's."""
        self.forget_template: Callable[[Any], None] = getattr(logger, "forget_template", _ignore)
        meter: Meter = NoOpMeter(semconv.SCOPE_NAME) if "metrics" in unset else meters.get_meter(*scope)
        gauge, active = semconv.JOB_METRIC, semconv.JOB_ACTIVE
        self.samples: Samples = Samples(meter.create_gauge(gauge.name, gauge.unit, gauge.description))
        self.active: metrics.UpDownCounter = meter.create_up_down_counter(active.name, active.unit, active.description)
        self.job_duration: metrics.Histogram = _histogram(meter, semconv.JOB_DURATION)
        self.step_duration: metrics.Histogram = _histogram(meter, semconv.STEP_DURATION)
        _observe(meter)


def _ignore(_template: object) -> None:
    """Do nothing: there is no recorder."""


Emit = Callable[..., None]
"""Emits a log record: time in ns, context, severity number, severity text, body, attributes, event name."""


def emit_through(logger: Logger) -> Emit:
    """Return an emitter through the API; our recorder's logger accepts the same without the cost of keywords."""

    def emit(  # noqa: PLR0917 - positions are what makes it cheap
        timestamp: int,
        context: Context | None,
        severity_number: SeverityNumber,
        severity_text: str,
        body: Any,
        attributes: dict[str, Any],
        event_name: str | None,
    ) -> None:
        logger.emit(
            timestamp=timestamp,
            context=context,
            severity_number=severity_number,
            severity_text=severity_text,
            body=body,
            attributes=attributes,
            event_name=event_name,
        )

    return emit


RecordPlain = Callable[[int, dict[Any, Any], dict[Any, Any]], bool]


class Samples:
    """The gauge of the plugin's own metrics; our recorder's is given all values of a call at once."""

    __slots__ = ("_gauge", "bind", "record", "record_plain")

    def __init__(self, gauge: Any) -> None:
        self._gauge = gauge
        many: Callable[[int, list[Any]], None] | None = getattr(gauge, "append_samples", None)
        self.bind: Callable[[dict[str, Any]], Any] = gauge.bind if many else dict
        """Convert attributes for `record`."""
        self.record: Callable[[int, list[Any]], None] = many or self._set_each
        """Record at a Unix time in ns bound attributes and value, by turns; of our recorder's series, the numbers."""
        self.record_plain: RecordPlain = getattr(gauge, "append_metrics", _nothing)
        """Record at a time values by name, with the series of each name; return False if that could not be done."""

    def _set_each(self, _time: int, pairs: list[Any]) -> None:
        for attributes, value in zip(pairs[::2], pairs[1::2], strict=True):
            self._gauge.set(value, attributes)


def _nothing(_time: int, _series: dict[Any, Any], _values: dict[Any, Any]) -> bool:
    """Do nothing: each value is recorded on its own."""
    return False


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


def end_series(job: bytes) -> None:
    """Stop observing a job's series when its last values have been read."""
    _ENDED[job] = monotonic() + ENDED_SECONDS
    while len(_ENDED) > ENDED_LIMIT:
        oldest = next(iter(_ENDED))
        JOB_ATTRIBUTES.pop(oldest, None)
        del _ENDED[oldest]


class _Observed:
    """The jobs that one instrument observes: running ones, and those that ended recently or unobserved."""

    def __init__(self) -> None:
        self._read: set[bytes] = set()

    def jobs(self) -> dict[bytes, dict[str, Any]]:
        """Return the attributes of the jobs to observe now, by key."""
        now = monotonic()
        over = {job for job, until in list(_ENDED.items()) if job in self._read and now >= until}
        self._read = set(_ENDED)
        return {job: attributes for job, attributes in list(JOB_ATTRIBUTES.items()) if job not in over}


def _progress_callback(
    read: Callable[[Progress], float | None],
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    observed = _Observed()

    def observe(_options: CallbackOptions) -> Iterable[Observation]:
        jobs = observed.jobs()
        for kind, job, text, slot in BLOCK.items():
            if kind == SlotKind.PROGRESS and isinstance(slot, ProgressSlot) and job in jobs:
                progress = slot.value()
                value = read(progress) if progress else None
                if value is not None:
                    yield Observation(value, slot_attributes(jobs[job], semconv.CATEGORY, text))

    return observe


def _counter_callback(kind: SlotKind, label: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    observed = _Observed()

    def observe(_options: CallbackOptions) -> Iterable[Observation]:
        jobs = observed.jobs()
        for slot_kind, job, text, slot in BLOCK.items():
            if slot_kind == kind and not isinstance(slot, ProgressSlot) and job in jobs:
                yield Observation(slot.value(), slot_attributes(jobs[job], label, text))

    return observe


_BESIDE: Final[dict[str, Any]] = {}
"""By signal: the replacement for the provider of the process."""


def record_with(providers: Mapping[str, Any]) -> None:
    """Let the context API use other providers than those of the process; by ``traces``, ``metrics``, ``logs``."""
    _BESIDE.clear()
    _BESIDE.update(providers)


def _providers() -> tuple[Any, Any, Any]:
    tracers = _BESIDE.get("traces") or trace.get_tracer_provider()
    return tracers, _BESIDE.get("metrics") or metrics.get_meter_provider(), logger_provider()


def logger_provider() -> Any:
    """Return the provider of the loggers that records of this process are emitted through."""
    return _BESIDE.get("logs") or get_logger_provider()


_made: list[tuple[tuple[object, ...], Instruments]] = []


def instruments() -> Instruments:
    """Return the instruments of the providers that are set now."""
    providers = _providers()
    if not _made or any(old is not new for old, new in zip(_made[-1][0], providers, strict=True)):
        _made[:] = [(providers, Instruments())]
    return _made[-1][1]
