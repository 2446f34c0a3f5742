"""A callback for PyTorch Lightning: ``Trainer(callbacks=[SynapseCallback(ctx)])``."""

from __future__ import annotations

from typing import Any

from synapse_otel.integrations.reporting import Context, Reporting, needs, without

try:
    from lightning.pytorch.callbacks import Callback  # type: ignore[import-not-found]
except ImportError:
    try:
        from pytorch_lightning.callbacks import Callback  # type: ignore[import-not-found]
    except ImportError as error:
        raise needs("PyTorch Lightning", "lightning", error) from error

_VALIDATION = ("val_", "val/", "valid_", "valid/", "validation_", "validation/")
_TRAINING = ("train_", "train/", "training_", "training/")


class SynapseCallback(Callback):  # type: ignore[misc]  # it is installed by its users, not here
    """Epochs become progress, and what was logged by their ends metrics, by the beginning of the name.

    Those named ``val_...`` are of the validation, those named ``train_...`` and all others of the training. In a
    training on several processes, only the first one reports.

    Args:
        context: a `RuntimeContext`, or the context of a step.
        category: of the progress and of the training's metrics; None is that of the step, or the job as a whole.
        validation: category of the validation's metrics.

    Raises:
        TypeError, ValueError: an argument is wrong.
    """

    def __init__(self, context: Context, category: str | None = "training", validation: str = "validation") -> None:
        super().__init__()
        self._reporting = Reporting(context, category, validation)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002 - the signature of Lightning
        """Report an epoch; its validation is over by then."""
        if not trainer.is_global_zero:
            return
        with self._reporting as reporting:
            epochs = trainer.max_epochs if (trainer.max_epochs or 0) > 0 else None
            reporting.progress(trainer.current_epoch + 1, epochs)
            values = {without(name, _TRAINING) or name: value for name, value in trainer.callback_metrics.items()}
            reporting.metrics_of_both(values, _VALIDATION)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """Show the training as complete, also if it has stopped early."""
        if trainer.is_global_zero:
            with self._reporting as reporting:
                reporting.finish()
