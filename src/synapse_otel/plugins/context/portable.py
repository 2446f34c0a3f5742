"""How a context is copied, and what of it can go to another process: a client with a connection or a lock cannot."""

from __future__ import annotations

import logging
import pickle
import sys
from contextvars import ContextVar
from copy import copy, deepcopy
from typing import TYPE_CHECKING, Any, Final, Self

from synapse_otel._guard import let_through
from synapse_otel.mapping.propagation.remote_job import job_to_hand_over
from synapse_otel.mapping.propagation.tasks_in_hand import hold
from synapse_otel.notices import warn
from synapse_otel.plugins.context.env import PluginEnvironment
from synapse_otel.plugins.loggers.noop import NoOpLogger

if TYPE_CHECKING:
    from synapse_otel.mapping.job import Job

_log = logging.getLogger(__name__)
_PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})
_NOT_COPIED: Final = frozenset({"_job", "_logger"})
_trying: Final[ContextVar[bool]] = ContextVar("synapse_otel.trying", default=False)
"""Whether something is pickled just to see whether it can be: it may hold the context itself."""
_said: Final[set[tuple[str, type]]] = set()


class Portable:
    """The copies of a `RuntimeContext`: all of them record in one job, in another process as well."""

    logger: Any
    env: Any
    checkpoint: Any
    job_id: str | None
    _job: Job | None

    def __getstate__(self) -> dict[str, Any]:
        """Take the job along.

        What cannot be pickled stays behind and is said: a client is None there, and a logger one that shows nothing.
        """
        state = {name: portable(name, value) for name, value in self.__dict__.items() if name not in _NOT_COPIED}
        return {**state, "_job": job_to_hand_over(self._job, self.job_id)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up what was handed over."""
        for name, value in state.items():
            setattr(self, name, value)
        if self.logger is None:
            self.logger = NoOpLogger()
        if self.env is None:
            self.env = PluginEnvironment.from_environ()
        hold(self, self._job)

    def __copy__(self) -> Self:
        """Return a context with the same logger, clients and job."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a context with settings of its own; logger, clients and job are one, however often it is copied."""
        new = copy(self)
        new.env, new.checkpoint = deepcopy((self.env, self.checkpoint), memo)
        return new


def portable(name: str, value: Any) -> Any:
    """Return a value of the context, or None if it cannot be pickled, which is logged once per type."""
    if type(value) in _PLAIN or _trying.get():
        return value
    before = _trying.set(True)
    try:
        _dumps()(value)
    except Exception as error:  # noqa: BLE001 - a class may raise anything when it is pickled
        let_through(error)
        if (name, type(value)) not in _said:
            _said.add((name, type(value)))
            warn(
                _log,
                "the context's %s (%s) cannot be pickled and is left out (logged once): %s: %s",
                name,
                type(value).__qualname__,
                type(error).__name__,
                error,
            )
        return None
    finally:
        _trying.reset(before)
    return value


def _dumps() -> Any:
    """Return the most capable pickler there is: cloudpickle, where it has been loaded, pickles contexts too."""
    cloudpickle = sys.modules.get("cloudpickle") or sys.modules.get("ray.cloudpickle")
    return getattr(cloudpickle, "dumps", pickle.dumps)
