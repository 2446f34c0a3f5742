"""A callback for Keras 3, with whichever backend: ``model.fit(..., callbacks=[SynapseCallback(ctx)])``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synapse_otel.integrations.reporting import Context, Reporting, needs

try:
    from keras.callbacks import Callback  # type: ignore[import-untyped]
except ImportError as error:
    raise needs("Keras", "keras", error) from error

_VALIDATION = ("val_",)


class SynapseCallback(Callback):  # type: ignore[misc]  # Keras has no types
    """Epochs become progress, and their logs metrics; those that Keras names ``val_...`` are of the validation.

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

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Report an epoch; of a training that is resumed the first has not the number 0."""
        with self._reporting as reporting:
            reporting.progress(epoch + 1, self.params.get("epochs"))
            reporting.metrics_of_both(logs or {}, _VALIDATION)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002 - the signature of Keras
        """Show the training as complete, also if it has stopped early."""
        with self._reporting as reporting:
            reporting.finish()
