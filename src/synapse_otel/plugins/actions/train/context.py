"""Training."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

from synapse_otel.plugins.steps.context import BaseStepContext

__all__ = ["TrainContext", "TrainProgressCategories"]


class TrainProgressCategories:
    """Usual names of the phases of a training."""

    DATASET: Final = "dataset"
    TRAIN: Final = "train"
    MODEL_UPLOAD: Final = "model_upload"


@dataclass
class TrainContext(BaseStepContext):
    """What the steps of a training share.

    Attributes:
        params: what the job was asked to do.
        dataset: what is trained on.
        model_path: path of the trained model.
        model: what the platform knows of the model.
        data_path: where the trials of a search for hyperparameters find the dataset.
        tune_result: the best trial.
        trial_models: the models of the trials.
    """

    PRODUCTS: ClassVar[tuple[str, ...]] = ("params", "model_path", "model", "tune_result", "trial_models")

    params: dict[str, Any] = field(default_factory=dict)
    dataset: Any = None
    model_path: str | None = None
    model: dict[str, Any] | None = None
    data_path: Path | None = None
    tune_result: dict[str, Any] | None = None
    trial_models: list[dict[str, Any]] = field(default_factory=list)
