"""What a job's shipper tells Prometheus: one point of one metric, as it is sent by OTLP and as promtool takes it."""

from __future__ import annotations

from dataclasses import dataclass, field

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)

from synapse_otel import semconv
from synapse_otel.semconv.prometheus import label, series
from tests.stack import otlp

CUMULATIVE = 2
PLUGIN = "yolo"


@dataclass(frozen=True)
class Point:
    """A value of a metric of a job, some seconds before now; of a histogram, how often it was measured."""

    metric: semconv.Metric
    value: float
    age_seconds: float
    run: str
    job: str = ""
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def series(self) -> str:
        """The series in Prometheus; of a histogram, that of its count."""
        labels = {"job": f"synapse/{PLUGIN}", "instance": self.run}
        labels |= {label(key): value for key, value in self._attributes().items()}
        inside = ", ".join(f'{name}="{value}"' for name, value in labels.items())
        return f"{series(self.metric)[-1]}{{{inside}}}"

    def request(self, now_ns: int) -> ExportMetricsServiceRequest:
        """Return the request that sends it."""
        time_ns = now_ns - int(self.age_seconds * 1e9)
        attributes = otlp.attributes(self._attributes())
        number = NumberDataPoint(time_unix_nano=time_ns, as_double=self.value, attributes=attributes)
        made = Metric(name=self.metric.name, unit=self.metric.unit)
        if self.metric.instrument == "gauge":
            made.gauge.CopyFrom(Gauge(data_points=[number]))
        elif self.metric.instrument == "histogram":
            count = int(self.value)
            bucketed = HistogramDataPoint(
                time_unix_nano=time_ns, count=count, sum=1.0, bucket_counts=[count], attributes=attributes
            )
            made.histogram.CopyFrom(Histogram(data_points=[bucketed], aggregation_temporality=CUMULATIVE))
        else:
            rising = self.metric.instrument == "counter"
            made.sum.CopyFrom(Sum(data_points=[number], is_monotonic=rising, aggregation_temporality=CUMULATIVE))
        request = otlp.metrics(PLUGIN, [made])
        resource = request.resource_metrics[0].resource
        resource.attributes.extend(otlp.attributes({semconv.SERVICE_INSTANCE_ID: self.run}))
        return request

    def send(self, base: str, now_ns: int) -> None:
        """Send it to the OTLP endpoint of a Prometheus or Collector."""
        otlp.send(base, self.request(now_ns))

    def _attributes(self) -> dict[str, str]:
        return {**({semconv.JOB_ID: self.job} if self.job else {}), **self.attributes}
