"""What the Collectors say of themselves, as Prometheus scrapes it; the alerts on it are in collector/alerts/."""

from __future__ import annotations

from typing import Final

OURS: Final = 'job="otelcol"'
"""Matcher of the scrape job in collector/prometheus.yaml."""
TIER: Final = "tier"
"""Label of collector/targets/: agent or gateway."""
EXPORTER: Final = "exporter"
QUEUE_SIGNAL: Final = "data_type"
REASON: Final = "reason"
"""Label that says why the log store left a record out."""

RECORDS: Final = {"logs": "log_records", "metrics": "metric_points", "traces": "spans"}
"""By signal: how the Collector's own metrics call its records."""

UP: Final = "up"
MEMORY: Final = "otelcol_process_memory_rss_bytes"
PROCESSOR_SECONDS: Final = "otelcol_process_cpu_seconds_total"
UPTIME: Final = "otelcol_process_uptime_seconds_total"
QUEUE_SIZE: Final = "otelcol_exporter_queue_size"
QUEUE_CAPACITY: Final = "otelcol_exporter_queue_capacity"
UNSTORABLE: Final = "debug/unstorable"
"""The exporter of collector/routes.yaml for samples that Prometheus would refuse."""


def accepted(signal: str) -> str:
    """Return the series of records that a tier has taken in."""
    return f"otelcol_receiver_accepted_{RECORDS[signal]}_total"


def refused(signal: str) -> str:
    """Return the series of records that a tier has sent back: their sender keeps them."""
    return f"otelcol_receiver_refused_{RECORDS[signal]}_total"


def sent(signal: str) -> str:
    """Return the series of records that an exporter has delivered."""
    return f"otelcol_exporter_sent_{RECORDS[signal]}_total"


def failed(signal: str) -> str:
    """Return the series of records that an exporter was refused for good; it exists from the first one on."""
    return f"otelcol_exporter_send_failed_{RECORDS[signal]}_total"
