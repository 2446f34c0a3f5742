"""The report of a run in the terminal: what a recording holds, to be seen at a glance."""

from __future__ import annotations

from synapse_otel.ui.printed.report import Report

__all__ = ["Report"]
