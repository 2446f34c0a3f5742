"""A callback for scikit-learn's estimators and searches: ``GridSearchCV(...).set_callbacks(SynapseCallback(ctx))``.

It is for those that support callbacks; `synapse_otel.integrations.loop.track` is for loops around ``partial_fit``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from synapse_otel.integrations.reporting import Context, Reporting, needs
from synapse_otel.mapping.arguments import check_name

try:
    from sklearn.callback import FitCallback  # type: ignore[import-untyped]
    from sklearn.metrics import get_scorer  # type: ignore[import-untyped]
except ImportError as error:
    raise needs("scikit-learn 1.9 or newer, which has callbacks,", "sklearn", error) from error

_KEPT: Final = 1_000
_DONE: Final[OrderedDict[tuple[Any, ...], int]] = OrderedDict()
"""How much this process has done of each task. A worker gets a new copy of the callback with each of its tasks."""


class SynapseCallback(FitCallback):  # type: ignore[misc]  # scikit-learn has no types
    """Tasks become progress, and the best score of a search a metric.

    The tasks of the outermost estimator have the category that is given, those within it longer ones, as
    ``training.search`` and ``training.search.LogisticRegression``. Of a search on several processes, each worker
    reports what it has done itself.

    Args:
        context: a `RuntimeContext`, or the context of a step.
        category: of the progress and of the training's metrics.
        validation: category of a search's best score.
        max_propagation_depth: how many levels of estimators below the outermost report; None for all.

    Raises:
        TypeError, ValueError: an argument is wrong.
    """

    def __init__(
        self,
        context: Context,
        category: str = "training",
        validation: str = "validation",
        max_propagation_depth: int | None = 1,
    ) -> None:
        check_name("category", category)
        self._reporting = Reporting(context, category, validation)
        self._category = category
        self.max_propagation_depth = max_propagation_depth

    def setup(self, estimator: Any, context: Any) -> None:
        """Do nothing; scikit-learn calls it, and what stands between here and the end of a task."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Report a task: one more of those that the task above it has; and itself as complete."""
        with self._reporting as reporting:
            own = _DONE.pop(_place(context), None)
            if own is not None:
                reporting.progress(own, own, self._category_of(context))
            above = context.parent
            if above is not None:
                done = _DONE[_place(above)] = _DONE.pop(_place(above), 0) + 1
                reporting.progress(done, above.max_subtasks, self._category_of(above))
            elif hasattr(estimator, "best_score_"):
                reporting.metrics({"best_score": estimator.best_score_}, reporting.validation)
            while len(_DONE) > _KEPT:  # a worker is not notified of the job's end
                _DONE.popitem(last=False)

    def _category_of(self, context: Any) -> str:
        return ".".join([self._category, *(_name(task) for task in _path(context)[1:])])


class SynapseScoring(SynapseCallback):
    """As `SynapseCallback`; and each iteration's score on the training data is a metric, where an estimator allows it.

    Args:
        context: a `RuntimeContext`, or the context of a step.
        scoring: name of a scorer of scikit-learn, or a function of estimator, data and target.
        **options: those of `SynapseCallback`.

    Raises:
        TypeError, ValueError: an argument is wrong.
    """

    def __init__(self, context: Context, scoring: str | Callable[[Any, Any, Any], float], **options: Any) -> None:
        super().__init__(context, **options)
        self._scorer = get_scorer(scoring)
        self._score = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")

    def on_fit_task_end(
        self,
        estimator: Any,
        context: Any,
        *,
        X: Any = None,  # noqa: N803 - the name that scikit-learn gives
        y: Any = None,
        fitted_estimator: Any = None,
    ) -> None:
        """Report a task, and the score of the estimator as it is then."""
        super().on_fit_task_end(estimator, context)
        with self._reporting as reporting:
            if fitted_estimator is not None and X is not None and context.parent is not None:
                score = self._scorer(fitted_estimator, X, y)
                reporting.metrics({self._score: score}, self._category_of(context.parent))


def _path(context: Any) -> list[Any]:
    """Return a task and those above it, the outermost first."""
    found = [context]
    while found[0].parent is not None:
        found.insert(0, found[0].parent)
    return found


def _place(context: Any) -> tuple[Any, ...]:
    return context.root_uuid, *(task.task_id for task in _path(context))


def _name(task: Any) -> str:
    """Return what a task is called: the whole of an estimator within another one by that estimator's name."""
    return str(task.estimator_name if task.source_estimator_name is not None else task.task_name)
