"""Inference, and the deployment of what infers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from synapse_otel.plugins.steps.context import BaseStepContext

__all__ = [
    "DeploymentContext",
    "DeploymentProgressCategories",
    "InferenceContext",
    "InferenceProgressCategories",
]


class InferenceProgressCategories:
    """Usual names of the phases of an inference."""

    MODEL_LOAD: Final = "model_load"
    INFERENCE: Final = "inference"
    POSTPROCESS: Final = "postprocess"


class DeploymentProgressCategories:
    """Usual names of the phases of a deployment."""

    INITIALIZE: Final = "initialize"
    DEPLOY: Final = "deploy"
    REGISTER: Final = "register"


@dataclass
class InferenceContext(BaseStepContext):
    """What the steps of an inference share.

    Attributes:
        params: what the job was asked to do.
        model_id: id of the model on the platform.
        model: what the platform knows of it.
        model_path: where its files are.
        requests: what is asked of the model.
        results: what it answered.
        batch_size: number of requests at once.
        processed_count: number of requests that are answered.
    """

    PRODUCTS: ClassVar[tuple[str, ...]] = ("params", "model_id", "model_path", "results", "processed_count")

    params: dict[str, Any] = field(default_factory=dict)
    model_id: int | None = None
    model: dict[str, Any] | None = None
    model_path: str | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    batch_size: int = 1
    processed_count: int = 0


@dataclass
class DeploymentContext(BaseStepContext):
    """What the steps of a deployment share.

    Attributes:
        params: what the job was asked to do.
        model_id: id of the model on the platform.
        model: what the platform knows of it.
        model_path: where its files are.
        serve_app_name: name of the application that serves it.
        serve_app_id: id of that application.
        route_prefix: path of its URLs.
        ray_actor_options: options of its workers.
        serve_options: options of the application.
        deployed: whether it serves.
    """

    PRODUCTS: ClassVar[tuple[str, ...]] = (
        "params",
        "model_id",
        "model_path",
        "serve_app_name",
        "serve_app_id",
        "route_prefix",
        "deployed",
    )

    params: dict[str, Any] = field(default_factory=dict)
    model_id: int | None = None
    model: dict[str, Any] | None = None
    model_path: str | None = None
    serve_app_name: str | None = None
    serve_app_id: int | None = None
    route_prefix: str | None = None
    ray_actor_options: dict[str, Any] = field(default_factory=dict)
    serve_options: dict[str, Any] = field(default_factory=dict)
    deployed: bool = False
