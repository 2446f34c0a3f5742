"""What a job has recorded, kept in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from synapse_otel.mapping.instruments import BLOCK
from synapse_otel.mapping.job import Job
from synapse_otel.plugins.context import PluginEnvironment, RuntimeContext


class SampleList:
    """Stands where the gauge of the plugin's metrics does, and keeps every sample."""

    def __init__(self) -> None:
        self.samples: list[tuple[str | None, str, float]] = []

    def set(self, value: float, attributes: dict[str, Any]) -> None:
        self.samples.append((attributes.get("synapse.category"), attributes["synapse.metric.name"], value))


@dataclass
class Recorded:
    """What a job has recorded."""

    job: Job
    spans_exported: InMemorySpanExporter
    logs_exported: InMemoryLogRecordExporter
    gauge: SampleList
    flushed: list[bool] = field(default_factory=list)

    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended, in order of their ends, without the markers of begins."""
        return [
            span for span in self.spans_exported.get_finished_spans() if not span.attributes.get("synapse.span.marker")
        ]

    def span(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.spans() if span.name == name]
        return found

    def logs(self) -> list[Any]:
        """The log records of the plugin's calls, without those of the job's own life."""
        records = [exported.log_record for exported in self.logs_exported.get_finished_logs()]
        return [record for record in records if not record.event_name.startswith("synapse.job.")]

    def log(self) -> Any:
        (record,) = self.logs()
        return record

    def messages(self) -> list[tuple[str, str, str | None]]:
        """Text, context and category of each message."""
        return [
            (
                record.body,
                record.attributes["synapse.message.context"],
                record.attributes.get("synapse.category"),
            )
            for record in self.logs()
            if record.event_name == "synapse.message"
        ]

    @property
    def samples(self) -> list[tuple[str | None, str, float]]:
        """Category, name and value of each sample."""
        return self.gauge.samples

    def progress(self) -> dict[str, tuple[float, float]]:
        """The last progress of each category; of the job as a whole under the empty one."""
        found = {}
        for _kind, job, text, slot in BLOCK.items():
            value = slot.value()
            if job == self.job.key and hasattr(value, "limit"):
                found[text] = (value.current, value.limit)
        return found

    def nothing(self) -> bool:
        return not self.logs() and not self.samples and not self.progress()


def context_of(job: Job, logger: Any) -> RuntimeContext:
    context = RuntimeContext(logger, PluginEnvironment({}), job.id)
    context._job = job
    return context
