"""Upload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

from synapse_otel.plugins.steps.context import BaseStepContext

__all__ = ["UploadContext", "UploadProgressCategories"]

_MEBIBYTE: Final = 1024 * 1024


class UploadProgressCategories:
    """Usual names of the phases of an upload."""

    ORGANIZE: Final = "organize"
    VALIDATE: Final = "validate"
    UPLOAD: Final = "upload"
    GENERATE: Final = "generate"
    CLEANUP: Final = "cleanup"


@dataclass
class UploadContext(BaseStepContext):
    """What the steps of an upload share.

    Attributes:
        params: what the job was asked to do.
        allowed_extensions: extensions by kind of file; None for any.
        storage: where the platform keeps the files.
        data_collection: what the files become a part of.
        project: the project, if there is one.
        pathlib_cwd: folder that the files come from.
        organized_files: the files to upload.
        uploaded_files: the files that are there.
        lost_files: the files that never arrived.
        data_units: what the platform made of the files.
        excel_metadata: metadata by file.
    """

    PRODUCTS: ClassVar[tuple[str, ...]] = ("params", "organized_files", "uploaded_files", "lost_files", "data_units")

    params: dict[str, Any] = field(default_factory=dict)
    allowed_extensions: dict[str, list[str]] | None = None
    storage: Any = None
    data_collection: Any = None
    project: Any = None
    pathlib_cwd: Path | None = None
    organized_files: list[dict[str, Any]] = field(default_factory=list)
    uploaded_files: list[dict[str, Any]] = field(default_factory=list)
    lost_files: list[str] = field(default_factory=list)
    data_units: list[dict[str, Any]] = field(default_factory=list)
    excel_metadata: dict[str, Any] | None = None

    def get_param(self, key: str, default: Any = None) -> Any:
        """Return a parameter; one under ``extra_params``, where users put what has no field, wins."""
        extra = self.params.get("extra_params")
        if isinstance(extra, Mapping) and key in extra:
            return extra[key]
        return self.params.get(key, default)

    @property
    def use_single_path(self) -> bool:
        """Whether all files come from one path."""
        return bool(self.params.get("use_single_path", True))

    @property
    def upload_name(self) -> str:
        """Name of the upload."""
        return str(self.params.get("name", "Unnamed Upload"))

    @property
    def max_file_size_bytes(self) -> int:
        """Largest size of a file, in bytes."""
        return int(self.get_param("max_file_size_mb", 50) * _MEBIBYTE)

    @property
    def batch_size(self) -> int:
        """Number of data units made at once."""
        return int(self.get_param("creating_data_unit_batch_size", 200))

    @property
    def use_async_upload(self) -> bool:
        """Whether files are uploaded side by side."""
        return bool(self.get_param("use_async_upload", default=True))
