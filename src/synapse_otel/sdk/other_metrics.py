"""Metrics of other instrumentations: aggregated by the SDK, collected now and then into the journal.

No thread wakes up for it: a call of the context API, or the end of a span, also collects when it is due, and the end of
the run always does.
"""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.resources import Resource

from synapse_otel.journal.frames import Kind
from synapse_otel.redaction import redact_text
from synapse_otel.sdk.recorder import Recorder
from synapse_otel.semconv.signal import Signal

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader


class ForeignMetrics:
    """The SDK's meter provider, made when first asked for, and its collection."""

    def __init__(self, recorder: Recorder, resource: Resource, interval_seconds: float) -> None:
        self._recorder = recorder
        self._resource = resource
        self._interval = interval_seconds
        self._lock = Lock()
        self._provider: MeterProvider | None = None
        self._reader: InMemoryMetricReader | None = None
        self._due = monotonic() + interval_seconds

    def provider(self) -> MeterProvider:
        """Return the SDK's meter provider."""
        # A tenth of what a job takes to begin, and most have no foreign metrics.
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader

        with self._lock:
            if self._provider is None:
                self._reader = InMemoryMetricReader()
                self._recorder.collect = self.collect_if_due
                self._provider = MeterProvider([self._reader], resource=self._resource, shutdown_on_exit=False)
            return self._provider

    def collect_if_due(self) -> None:
        """Collect if the interval has passed."""
        if monotonic() >= self._due:
            self.collect()

    def collect(self) -> None:
        """Write all that the SDK's instruments have measured to the journal."""
        if self._reader is None:
            return
        self._due = monotonic() + self._interval
        data = self._reader.get_metrics_data()
        if data is not None and data.resource_metrics:
            self._recorder.append(Kind.OTLP_METRICS, Signal.METRICS, _encoded(data), 1)


def _redact(found: Any) -> None:
    """Take out of the attributes what looks like a credential: the shipper sends these as they are."""
    metrics = (metric for scope in found.scope_metrics for metric in scope.metrics if metric.WhichOneof("data"))
    for metric in metrics:
        for point in getattr(metric, metric.WhichOneof("data")).data_points:
            for attribute in point.attributes:
                if attribute.value.string_value:
                    attribute.value.string_value = _redacted(attribute.value.string_value)


_redacted: Final = lru_cache(maxsize=4_096)(redact_text)


def _encoded(data: Any) -> bytes:
    """Return the scopes' metrics as an OTLP ``ResourceMetrics`` without its resource, by OpenTelemetry's encoder."""
    from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

    request = encode_metrics(data)
    joined = request.resource_metrics[0]
    for further in request.resource_metrics[1:]:
        joined.scope_metrics.extend(further.scope_metrics)
    _redact(joined)
    joined.ClearField("resource")
    joined.ClearField("schema_url")
    return joined.SerializeToString()
