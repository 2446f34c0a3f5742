"""A plugin that records spans with the plain OpenTelemetry SDK, as its documentation has it."""

from __future__ import annotations

import os
from typing import Any

from pydantic import BaseModel
from synapse_sdk.plugins.action import BaseAction


class StockParams(BaseModel):
    """What it is told."""

    epochs: int = 1


class StockAction(BaseAction[StockParams]):
    """Makes four spans."""

    def execute(self) -> dict[str, Any]:
        """Make them: one around three."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider = TracerProvider()
        exporter = OTLPSpanExporter(endpoint=f"{os.environ['SYNAPSE_OTEL_ENDPOINT']}/v1/traces")
        provider.add_span_processor(BatchSpanProcessor(exporter))
        tracer = provider.get_tracer("stock")
        with tracer.start_as_current_span("train"):
            for name in ("prepare", "learn", "save"):
                with tracer.start_as_current_span(name):
                    pass
        return {}
