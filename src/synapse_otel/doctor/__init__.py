"""``synapse-otel doctor``: why telemetry does not arrive, found by trying what a job and its shipper would do."""

from __future__ import annotations

from synapse_otel.doctor.examination import examine
from synapse_otel.doctor.finding import Finding, Level

__all__ = ["Finding", "Level", "examine"]
