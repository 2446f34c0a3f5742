"""The metrics signal: the context API's own measurements are appended one by one; everybody else's are aggregated.

The instruments of the scope ``synapse_otel`` write each measurement to the journal, and the shipper sums up
counters and histograms, so a kill loses none. Its observable instruments read the state block, which the
shipper reads itself. Other scopes use the OpenTelemetry SDK's meters; `ForeignMetrics` collects those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import time_ns
from typing import Any

from opentelemetry import metrics as api
from opentelemetry.metrics import Meter, MeterProvider, NoOpMeter
from opentelemetry.trace import get_current_span

from synapse_otel._otel_private import Gauge
from synapse_otel.journal import frames
from synapse_otel.journal.frames import Kind
from synapse_otel.sdk.other_metrics import ForeignMetrics
from synapse_otel.sdk.recorder import Bound, Recorder
from synapse_otel.semconv.signal import Signal

_SAMPLES = int(Kind.SAMPLES)
_METRICS = int(Signal.METRICS)
_MOST = 255
_BOUND_KEPT = 256
_encode = frames.encode


class JournalMeterProvider(MeterProvider):
    """Gives out our own meter for the context API's scope, and the SDK's for any other."""

    def __init__(self, recorder: Recorder, own_scope: str, foreign: ForeignMetrics) -> None:
        self._recorder = recorder
        self._own_scope = own_scope
        self._foreign = foreign

    def get_meter(
        self, name: str, version: str | None = None, schema_url: str | None = None, attributes: Any = None
    ) -> Meter:
        """Return a meter of an instrumentation scope."""
        if name == self._own_scope:
            return JournalMeter(self._recorder, name, version, schema_url)
        return self._foreign.provider().get_meter(name, version, schema_url, attributes)

    def force_flush(self, timeout_millis: float = 30_000) -> bool:  # noqa: ARG002 - the signature of the SDK's
        """Collect the SDK's meters and bring what was recorded to the disk."""
        self._foreign.collect()
        self._recorder.sync()
        return True


class JournalMeter(NoOpMeter):
    """Instruments whose measurements are appended. Observable ones are left to the shipper: they do nothing here."""

    def __init__(self, recorder: Recorder, name: str, version: str | None, schema_url: str | None) -> None:
        super().__init__(name, version, schema_url)
        self._recorder = recorder
        self._scope = recorder.scope(name, version, schema_url, None)

    def _instrument(
        self, kind: str, name: str, unit: str, description: str, bounds: Sequence[float] = ()
    ) -> _JournalInstrument:
        return _JournalInstrument(self._recorder, self._scope, kind, (name, unit, description), bounds)

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> Gauge:
        """Make a gauge: every value is a point of its own."""
        return self._instrument("gauge", name, unit, description)

    def create_counter(self, name: str, unit: str = "", description: str = "") -> api.Counter:
        """Make a counter."""
        return self._instrument("counter", name, unit, description)

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> api.UpDownCounter:
        """Make an up-down counter."""
        return self._instrument("updowncounter", name, unit, description)

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> api.Histogram:
        """Make a histogram."""
        return self._instrument("histogram", name, unit, description, explicit_bucket_boundaries_advisory or ())


class _JournalInstrument(api.Counter, api.UpDownCounter, api.Histogram, Gauge):
    """A synchronous instrument, whichever: each measurement is one sample in the journal."""

    def __init__(
        self, recorder: Recorder, scope: int, kind: str, identity: tuple[str, str, str], bounds: Sequence[float]
    ) -> None:
        self._recorder = recorder
        self._scope = scope
        self._kind = kind
        self._identity = identity
        self._bounds = bounds
        self._bound: dict[frozenset[tuple[str, Any]], Bound] = {}

    def bind(self, attributes: Mapping[str, Any]) -> Bound:
        """Return the series of one set of attributes."""
        return self._recorder.series(self._scope, self._kind, self._identity, attributes, self._bounds)

    def append_samples(self, time: int, pairs: list[Any], *span: bytes) -> None:
        """Record values of several series at one time: a series' number, its value, and so on; a histogram's span."""
        if len(pairs) > 2 * _MOST:
            for at in range(0, len(pairs), 2 * _MOST):
                self.append_samples(time, pairs[at : at + 2 * _MOST])
            return
        self._recorder.append(_SAMPLES, _METRICS, _encode((time, pairs, *span)), len(pairs) >> 1)

    def append_metrics(self, time: int, series: dict[Any, Any], values: dict[Any, Any]) -> bool:
        """Record values by name at one time, with the numbers of their series, if that is compiled; else do nothing.

        Return False too if the values are not all finite numbers, or a name has no series yet.
        """
        compiled = self._recorder.journal.segment.append_samples
        return compiled is not None and compiled(time, series, values)

    def record(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        """Record a measurement, of whichever instrument."""
        key = frozenset((attributes or {}).items())
        bound = self._bound.get(key)
        if bound is None:
            if len(self._bound) >= _BOUND_KEPT:
                self._bound.clear()  # a long-lived process has many jobs, each with series of its own
            bound = self._bound[key] = self.bind(attributes or {})
        if self._kind == "histogram":
            self.append_samples(time_ns(), [bound.number, amount], _sampled_span(context))
        else:
            self.append_samples(time_ns(), [bound.number, amount])

    add = record
    set = record


def _sampled_span(context: Any) -> bytes:
    """Return trace id and span id of a context's span; nothing where it has none that is recorded."""
    span = get_current_span(context).get_span_context()
    if not (span.is_valid and span.trace_flags.sampled):
        return b""
    return span.trace_id.to_bytes(16, "big") + span.span_id.to_bytes(8, "big")
