"""Upload."""

from __future__ import annotations

from synapse_otel.plugins.actions.upload.context import UploadContext, UploadProgressCategories

__all__ = ["UploadContext", "UploadProgressCategories"]
