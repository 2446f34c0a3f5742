"""Export."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

from synapse_otel.plugins.steps.context import BaseStepContext

__all__ = ["ExportContext", "ExportProgressCategories"]


class ExportProgressCategories:
    """Usual names of the phases of an export."""

    FETCH: Final = "fetch"
    DATASET_CONVERSION: Final = "dataset_conversion"
    SAVE_FILES: Final = "save_files"
    FINALIZE: Final = "finalize"


@dataclass
class ExportContext(BaseStepContext):
    """What the steps of an export share.

    Attributes:
        params: what the job was asked to do.
        results: what is exported.
        total_count: number of items there are.
        exported_count: number of items exported.
        failed_count: number of items that could not be.
        output_path: where the export is.
        export_items: the items, one by one.
        path_root: folder above the export's own.
        storage: where the platform keeps the files.
        configuration: settings of the project.
        project_id: the project.
        handler: fetches the items of its kind.
        unique_export_path: the export's own folder.
        label_output_dirname: name of the folder of converted labels; None for none.
        sdk_managed_original_files: whether the original files are saved beside the labels.
        output_paths: folders of the export by what they hold.
        export_params: what the exporter is called with.
        exporter: converts and saves.
        converted_items: the converted items, one by one.
        errors_json: labels that could not be saved.
        errors_original: original files that could not be saved.
        filename_collision_count: number of files that had to be renamed.
        written_file_count: number of files in the folder of labels; None if not known.
        page_failures: pages of items that could not be fetched.
        config: settings of the action.
    """

    PRODUCTS: ClassVar[tuple[str, ...]] = (
        "params",
        "total_count",
        "exported_count",
        "failed_count",
        "output_path",
        "unique_export_path",
        "errors_json",
        "errors_original",
        "filename_collision_count",
        "written_file_count",
        "page_failures",
    )

    params: dict[str, Any] = field(default_factory=dict)
    results: Any = None
    total_count: int = 0
    exported_count: int = 0
    failed_count: int = 0
    output_path: str | None = None
    export_items: Iterable[Any] | None = None
    path_root: Path | None = None
    storage: Any = None
    configuration: dict[str, Any] | None = None
    project_id: int | None = None
    handler: Any = None
    unique_export_path: Path | None = None
    label_output_dirname: str | None = "labels"
    sdk_managed_original_files: bool = True
    output_paths: dict[str, Path] = field(default_factory=dict)
    export_params: dict[str, Any] = field(default_factory=dict)
    exporter: Any = None
    converted_items: Iterable[dict[str, Any]] | None = None
    errors_json: list[Any] = field(default_factory=list)
    errors_original: list[Any] = field(default_factory=list)
    filename_collision_count: int = 0
    written_file_count: int | None = None
    page_failures: list[dict[str, Any]] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
