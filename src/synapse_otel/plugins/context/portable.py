"""What of a context can go to another process: a client with a connection or a lock in it cannot be pickled."""

from __future__ import annotations

import logging
import pickle
import sys
from contextvars import ContextVar
from typing import Any, Final

from synapse_otel._guard import let_through
from synapse_otel.notices import warn

_log = logging.getLogger(__name__)
_PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})
_trying: Final[ContextVar[bool]] = ContextVar("synapse_otel.trying", default=False)
"""Whether something is pickled just to see whether it can be: it may hold the context itself."""
_said: Final[set[tuple[str, type]]] = set()


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
