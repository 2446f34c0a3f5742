"""A plugin that trains a classifier of handwritten digits: five steps that know nothing but their context."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from synapse_otel.plugins.actions.train import TrainContext
from synapse_otel.plugins.context import RuntimeContext
from synapse_otel.plugins.steps import BaseStep, Orchestrator, StepRegistry, StepResult

CLASSES = np.arange(10)
logger = logging.getLogger(__name__)


@dataclass
class DigitsContext(TrainContext):
    """What the steps share beside the fields of every training."""

    training: tuple[Any, Any] = ()
    validation: tuple[Any, Any] = ()
    network: MLPClassifier | None = None
    accuracy: dict[str, float] = field(default_factory=dict)


class Load(BaseStep[DigitsContext]):
    """Reads the images."""

    name = "load"
    progress_weight = 0.05

    def execute(self, context: DigitsContext) -> StepResult:
        digits = load_digits()
        context.dataset = digits
        for done in range(10):
            context.set_progress(done + 1, 10)
        context.log_message(f"{len(digits.images):,} images of {len(CLASSES)} digits loaded")
        return StepResult(data={"images": len(digits.images)})

    def rollback(self, context: DigitsContext, result: StepResult) -> None:
        context.dataset = None


class Prepare(BaseStep[DigitsContext]):
    """Splits the images, and adds each training image shifted by a pixel in four directions."""

    name = "prepare"
    progress_weight = 0.05

    def execute(self, context: DigitsContext) -> StepResult:
        images, labels = context.dataset.images / 16.0, context.dataset.target
        split = train_test_split(images, labels, test_size=0.25, stratify=labels, random_state=context.params["seed"])
        training, validation, training_labels, validation_labels = split
        shifts = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)]
        copies = []
        for done, shift in enumerate(shifts, 1):
            copies.append(np.roll(training, shift, axis=(1, 2)).reshape(len(training), -1))
            context.set_progress(done, len(shifts))
        context.training = np.concatenate(copies), np.tile(training_labels, len(shifts))
        context.validation = validation.reshape(len(validation), -1), validation_labels
        logger.info(
            "%d training images after shifting, %d kept for validation", len(context.training[0]), len(validation)
        )
        return StepResult()

    def rollback(self, context: DigitsContext, result: StepResult) -> None:
        context.training = context.validation = ()
        context.log_message("prepared images discarded")


class Train(BaseStep[DigitsContext]):
    """Trains a small neural network, epoch by epoch, in mini-batches."""

    name = "train"
    progress_weight = 0.75

    def execute(self, context: DigitsContext) -> StepResult:
        epochs, size = context.params["epochs"], context.params["batch_size"]
        images, labels = context.training
        random = np.random.default_rng(context.params["seed"])
        network = MLPClassifier(
            (96, 48), learning_rate_init=context.params["learning_rate"], random_state=context.params["seed"]
        )
        batches = len(images) // size
        best = 0.0
        for epoch in range(epochs):
            order = random.permutation(len(images))
            for batch in range(batches):
                chosen = order[batch * size : (batch + 1) * size]
                network.partial_fit(images[chosen], labels[chosen], classes=CLASSES)
                context.set_progress(epoch * batches + batch + 1, epochs * batches)
            measured = measure(network, context)
            context.set_metrics(measured)
            if measured["val_accuracy"] > best:
                best = measured["val_accuracy"]
                context.log("best_so_far", {"epoch": epoch + 1, "val_accuracy": best})
        context.network = network
        context.log_message(f"trained {epochs} epochs, best validation accuracy {best:.1%}", "success")
        return StepResult(data={"val_accuracy": best})

    def rollback(self, context: DigitsContext, result: StepResult) -> None:
        context.network = None


class Evaluate(BaseStep[DigitsContext]):
    """Measures each digit's accuracy, and says which ones are mixed up."""

    name = "evaluate"
    progress_weight = 0.1

    def execute(self, context: DigitsContext) -> StepResult:
        images, labels = context.validation
        confusion = confusion_matrix(labels, context.network.predict(images))
        for digit in CLASSES:
            context.accuracy[f"digit_{digit}"] = confusion[digit, digit] / confusion[digit].sum()
            context.set_progress(digit + 1, len(CLASSES))
        context.set_metrics({"accuracy": context.accuracy})
        mixed_up = {
            f"{true}_as_{said}": int(confusion[true, said]) for true, said in np.argwhere(confusion) if true != said
        }
        context.log("confusion", mixed_up)
        worst = min(context.accuracy, key=context.accuracy.__getitem__)
        if context.accuracy[worst] < context.params["wanted_accuracy"]:
            context.log_message(
                f"{worst.replace('_', ' ')} is recognised in {context.accuracy[worst]:.1%} of its images, "
                f"wanted are {context.params['wanted_accuracy']:.0%}",
                "warning",
            )
        context.log_dev_event(
            "weights", {f"layer_{at}": float(np.abs(each).mean()) for at, each in enumerate(context.network.coefs_)}
        )
        return StepResult()


class Export(BaseStep[DigitsContext]):
    """Writes the model."""

    name = "export"
    progress_weight = 0.05

    def execute(self, context: DigitsContext) -> StepResult:
        path = Path(context.runtime_ctx.env.get_str("MODEL_FOLDER", ".")) / "digits.joblib"
        context.set_progress(1, 2)
        joblib.dump(context.network, path)
        context.model_path = str(path)
        context.model = {"kind": "MLPClassifier", "parameters": sum(each.size for each in context.network.coefs_)}
        context.log("model_exported", context.model, path)
        context.set_progress(2, 2)
        return StepResult(rollback_data={"path": path})

    def rollback(self, context: DigitsContext, result: StepResult) -> None:
        Path(result.rollback_data["path"]).unlink(missing_ok=True)


def measure(network: MLPClassifier, context: DigitsContext) -> dict[str, float]:
    """Return loss and accuracy on the images that are trained on, and on those kept back."""
    found: dict[str, float] = {}
    for prefix, (images, labels) in (("", context.training), ("val_", context.validation)):
        shares = network.predict_proba(images)
        found[f"{prefix}loss"] = float(log_loss(labels, shares, labels=CLASSES))
        found[f"{prefix}accuracy"] = float((shares.argmax(axis=1) == labels).mean())
    return found


def train(
    params: dict[str, Any], ctx: RuntimeContext, context_type: type[DigitsContext] | None = None
) -> dict[str, Any]:
    """Run the plugin's steps."""
    registry: StepRegistry[DigitsContext] = StepRegistry()
    for step in (Load(), Prepare(), Train(), Evaluate(), Export()):
        registry.register(step)
    context = (context_type or DigitsContext)(ctx, params=params)
    Orchestrator(registry, context).execute()
    ctx.log_message(f"model ready: {Path(context.model_path).name}", "success")
    return {"model_path": context.model_path, "accuracy": context.accuracy}
