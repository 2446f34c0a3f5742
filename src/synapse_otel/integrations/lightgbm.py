"""A callback for LightGBM: ``lightgbm.train(..., callbacks=[SynapseCallback(ctx)])``, also of its estimators."""

from __future__ import annotations

from synapse_otel.integrations.reporting import Context, Reporting, needs

try:
    from lightgbm.callback import CallbackEnv
except ImportError as error:
    raise needs("LightGBM", "lightgbm", error) from error


class SynapseCallback:
    """Iterations become progress; each evaluation a metric, whose category is the name of its data set.

    LightGBM names the data it trains on ``training``, and others as in ``valid_names`` or ``eval_names``. Of ``cv`` the
    mean over the folds is reported, and their standard deviation as ``{metric}.stdv``.

    Args:
        context: a `RuntimeContext`, or the context of a step.
        category: of the progress; None is that of the step, or the job as a whole.

    Raises:
        TypeError, ValueError: an argument is wrong.

    A training that stops early leaves its progress where it is: LightGBM does not tell callbacks of its end.
    """

    order = 10  # as LightGBM's own log: before early stopping, which ends the training by an exception
    before_iteration = False

    def __init__(self, context: Context, category: str | None = "training") -> None:
        self._reporting = Reporting(context, category)

    def __call__(self, env: CallbackEnv) -> None:
        """Report an iteration; of a training that is resumed the first has not the number 0."""
        with self._reporting as reporting:
            done, total = env.iteration + 1 - env.begin_iteration, env.end_iteration - env.begin_iteration
            reporting.progress(done, total)
            sets: dict[str, dict[str, float]] = {}
            for name, metric, value, _higher_is_better, *deviation in env.evaluation_result_list or ():
                values = sets.setdefault(str(name), {})
                values[metric] = value
                if deviation and deviation[0] is not None:
                    values[f"{metric}.stdv"] = deviation[0]
            for name, values in sets.items():
                reporting.metrics(values, name)
