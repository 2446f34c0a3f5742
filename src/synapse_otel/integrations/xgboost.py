"""A callback for XGBoost: ``xgboost.train(..., callbacks=[SynapseCallback(ctx, rounds=100)])``."""

from __future__ import annotations

from typing import Any

from synapse_otel.integrations.reporting import Context, Reporting, needs

try:
    from xgboost.callback import TrainingCallback
except ImportError as error:
    raise needs("XGBoost", "xgboost", error) from error


class SynapseCallback(TrainingCallback):
    """Rounds become progress; each evaluation a metric, whose category is the name of its data set.

    It stands before callbacks that may stop the training: once one has, XGBoost leaves out those behind it.

    Args:
        context: a `RuntimeContext`, or the context of a step.
        rounds: how many there will be; XGBoost does not tell callbacks. Without it there is no progress.
        category: of the progress; None is that of the step, or the job as a whole.

    Raises:
        TypeError, ValueError: an argument is wrong.
    """

    def __init__(self, context: Context, rounds: int | None = None, category: str | None = "training") -> None:
        super().__init__()
        if rounds is not None and (not isinstance(rounds, int) or rounds < 1):
            msg = f"rounds must be a whole number from 1 on, got {rounds!r}"
            raise ValueError(msg)
        self._reporting = Reporting(context, category)
        self._rounds = rounds

    def after_iteration(self, model: Any, epoch: int, evals_log: TrainingCallback.EvalsLog) -> bool:  # noqa: ARG002
        """Report a round, and let the training go on."""
        with self._reporting as reporting:
            reporting.progress(epoch + 1, self._rounds)
            for name, metrics in evals_log.items():
                values: dict[str, float] = {}
                for metric, history in metrics.items():
                    last = history[-1]
                    if isinstance(last, tuple):  # of `cv`: the mean over the folds, and their standard deviation
                        values[metric], values[f"{metric}.stdv"] = last
                    else:
                        values[metric] = last
                reporting.metrics(values, name)
        return False

    def after_training(self, model: Any) -> Any:
        """Show the training as complete, also if it has stopped early."""
        with self._reporting as reporting:
            reporting.finish()
        return model
