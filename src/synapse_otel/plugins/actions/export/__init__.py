"""Export."""

from __future__ import annotations

from synapse_otel.plugins.actions.export.context import ExportContext, ExportProgressCategories

__all__ = ["ExportContext", "ExportProgressCategories"]
