"""A callback for Hugging Face's Trainer: ``Trainer(..., callbacks=[SynapseCallback(ctx)])``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synapse_otel.integrations.reporting import Context, Reporting, needs

try:
    from transformers.trainer_callback import TrainerCallback
except ImportError as error:
    raise needs("transformers", "transformers", error) from error

_EVALUATION = ("eval_",)


class SynapseCallback(TrainerCallback):
    """Steps become progress, and logs metrics; those that the Trainer names ``eval_...`` are of the validation.

    In a training on several processes, only the first one reports.

    Args:
        context: a `RuntimeContext`, or the context of a step.
        category: of the progress and of the training's metrics; None is that of the step, or the job as a whole.
        validation: category of the validation's metrics.

    Raises:
        TypeError, ValueError: an argument is wrong.
    """

    def __init__(self, context: Context, category: str | None = "training", validation: str = "validation") -> None:
        self._reporting = Reporting(context, category, validation)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Report where the training begins: not at 0, if it is resumed."""
        self.on_step_end(args, state, control, **kwargs)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 - its signature
        """Report a step."""
        if state.is_world_process_zero:
            with self._reporting as reporting:
                reporting.progress(state.global_step, state.max_steps)

    def on_log(
        self,
        args: Any,  # noqa: ARG002 - the signature of transformers'
        state: Any,
        control: Any,  # noqa: ARG002
        logs: Mapping[str, Any] | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Report what the Trainer logs."""
        if not state.is_world_process_zero:
            return
        with self._reporting as reporting:
            values = {name: value for name, value in (logs or {}).items() if name != "epoch"}
            reporting.metrics_of_both(values, _EVALUATION)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Show the training as complete, also if it has stopped early."""
        if state.is_world_process_zero:
            with self._reporting as reporting:
                reporting.finish()
