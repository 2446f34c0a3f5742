"""What the callbacks of training libraries have in common: they report to a context, and never stop a training."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Protocol, Self

from synapse_otel._guard import contain
from synapse_otel._text import described
from synapse_otel.mapping.arguments import check_name
from synapse_otel.notices import Check, explained_by


class Context(Protocol):
    """A `RuntimeContext`, or the context of a step."""

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        """Set how far the job, or one phase of it, has come."""

    def set_metrics(self, value: Mapping[str, Any], category: str | None = None) -> None:
        """Record values."""


class Reporting:
    """Reports to a context. As a context manager it holds back what goes wrong in its block, and says it once.

    Args:
        context: a `RuntimeContext`, or the context of a step.
        category: of the progress and of the training's metrics; None is that of the step, or the job as a whole.
        validation: of the validation's metrics.

    Raises:
        TypeError, ValueError: an argument is wrong.
    """

    def __init__(self, context: Context, category: str | None, validation: str = "validation") -> None:
        if not all(callable(getattr(context, name, None)) for name in ("set_progress", "set_metrics")):
            msg = f"context must be a RuntimeContext or the context of a step, not {described(context)}"
            raise TypeError(msg)
        if category is not None:
            check_name("category", category)
        check_name("validation", validation)
        self._context = context
        self.category = category
        self.validation = validation
        self._done = 0.0
        self._failed = False

    def progress(self, done: float, total: float | None, category: str | None = None) -> None:
        """Set the progress, of the training if no category is given; without a total that is known there is none."""
        if total is not None and total > 0:
            self._done = min(done, total)  # what is trained further than was planned has come to its end
            self._context.set_progress(self._done, total, self.category if category is None else category)

    def finish(self) -> None:
        """Show the training as complete, also if it has stopped early; one that has not begun is left as it is."""
        self.progress(self._done, self._done)

    def metrics(self, values: Mapping[str, Any], category: str | None = None) -> None:
        """Record values, of the training if no category is given."""
        if values:
            self._context.set_metrics(values, self.category if category is None else category)

    def metrics_of_both(self, values: Mapping[str, Any], prefixes: tuple[str, ...]) -> None:
        """Record values; those with one of the prefixes to their names are the validation's, and lose it."""
        held_out = {name: short for name in values if (short := without(name, prefixes))}
        self.metrics({name: value for name, value in values.items() if name not in held_out})
        self.metrics({short: values[name] for name, short in held_out.items()}, self.validation)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        contain(error)
        if not self._failed:
            self._failed = True
            from synapse_otel.notices import say

            reason = f"{type(error).__name__}: {described(error, str)}"
            say(f"a callback could not report, and the training continues: {reason}; {explained_by(Check.ENVIRONMENT)}")
        return True


def needs(library: str, extra: str, error: ImportError) -> ImportError:
    """Return the error of a library that cannot be imported: what it is, and which extra installs it.

    None does where the library is there, and lacks another one, as Keras does without a backend.
    """
    missing = (error.name or extra).partition(".")[0]
    text = f"{library} cannot be imported ({error})"
    if missing != extra and find_spec(extra) is not None:
        return ImportError(text)
    return ImportError(f"{text}; pip install 'synapse-otel[{extra}]' installs it")


def without(name: str, prefixes: tuple[str, ...]) -> str:
    """Return a name without the prefix that it has; nothing if it has none."""
    return next((name.removeprefix(prefix) for prefix in prefixes if name.startswith(prefix)), "")
