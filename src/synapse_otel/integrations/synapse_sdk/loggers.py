"""The SDK's loggers: each call is theirs first, unchanged, and recorded when it has returned.

Every way to log ends in a method of the SDK's logger classes, whether the context, an executor or a proxy has the
logger. So these methods are replaced in their classes, and every logger stays the same object.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import ModuleType
from typing import Any, Final

from synapse_otel import semconv
from synapse_otel._guard import let_through
from synapse_otel.integrations.synapse_sdk.containing import contained, report
from synapse_otel.integrations.synapse_sdk.loss import record_loss
from synapse_otel.integrations.synapse_sdk.patches import Make, Patches
from synapse_otel.integrations.synapse_sdk.workflow import ADVANCE
from synapse_otel.mapping.current import current_span
from synapse_otel.mapping.job import CURRENT, WorkSpan
from synapse_otel.mapping.python_logging.handler import LEFT_OUT
from synapse_otel.plugins.loggers.noop import NoOpLogger
from synapse_otel.plugins.loggers.record import EVENT_RECORDERS, EventRecorder

CLASSES: Final = ("ConsoleLogger", "BackendLogger", "JobLogger", "TqdmLogger", "NoOpLogger")
SIDE_DOORS: Final = ("log_event", "log_metric", "log_visualization", "log_trials", "log_message")
"""Methods that lead past `BaseLogger.log`: each class has its own."""
_RECORDING: Final = NoOpLogger()
"""Records what is seldom called as our own loggers do; shows nothing."""


_WITHIN: Final[ContextVar[bool]] = ContextVar("synapse_otel.within", default=False)
"""Whether a call goes on that will be recorded as a whole; asked for in a third of the time of a thread's own."""
_within: Final = _WITHIN.get


def instrument_loggers(module: ModuleType, patches: Patches) -> None:
    """Record what the loggers of ``synapse_sdk.loggers`` are told."""
    base = module.BaseLogger
    LEFT_OUT.add(module.__name__)  # shows on the console what is recorded here
    patches.on_undo(lambda: LEFT_OUT.discard(module.__name__))
    patches.replace(base, "log", _logging)
    patches.replace(base, "set_progress", _progressing)
    patches.replace(base, "set_metrics", _measuring)
    patches.replace(base, "set_progress_failed", _then(_record_failed))
    patches.replace(base, "finish", _then(record_loss))
    for name in CLASSES:
        owner = getattr(module, name, None)
        if owner is not None:
            _replace_own(owner, patches)


def instrument_logger_class(owner: type, base: type, patches: Patches) -> None:
    """Record what a plugin's own logger is told by methods that do not lead through those of the SDK's."""
    for each in owner.__mro__:
        if each is not base and issubclass(each, base):
            _replace_own(each, patches)
            for name, record in _TEMPLATES.items():
                if name in vars(each) and not patches.has_replaced(each, name):
                    patches.replace(each, name, _as_a_whole(record))


def _replace_own(owner: type, patches: Patches) -> None:
    for name in SIDE_DOORS:
        if name in vars(owner) and not patches.has_replaced(owner, name):
            patches.replace(owner, name, _as_a_whole(_SIDE_DOORS[name]))


# --- the three that are called often: by position, with nothing in between -----------------------------------


def _progressing(original: Any) -> Any:
    @functools.wraps(original)
    def set_progress(self: Any, current: Any, total: Any, step: Any = None) -> None:
        original(self, current, total, step)
        if not _within():
            try:
                scope = CURRENT.get() or current_span()
                category = step if step is not None else self._current_step
                scope.progress(current, total, category if type(category) is str and category else _text(category))
                if scope in ADVANCE and (category is None or category == scope.name):
                    ADVANCE[scope](current / total)
            except Exception as error:  # noqa: BLE001 - nothing of ours ever raises into the SDK
                report(error)

    return set_progress


def _measuring(original: Any) -> Any:
    @functools.wraps(original)
    def set_metrics(self: Any, value: Any, step: Any = None) -> None:
        original(self, value, step)
        if not _within():
            try:
                scope = CURRENT.get() or current_span()
                category = step if step is not None else self._current_step
                scope.metrics(value, category if type(category) is str else str(category))
            except Exception as error:  # noqa: BLE001 - as above
                report(error)

    return set_metrics


def _text(category: Any) -> str | None:
    return str(category) if category else None


def _logging(original: Any) -> Any:
    @functools.wraps(original)
    def log(  # noqa: PLR0917 - the signature of the SDK
        self: Any, level: Any, event: Any, data: Any, file: Any = None, step: Any = None
    ) -> None:
        original(self, level, event, data, file, step)
        if not _within():
            try:
                scope = CURRENT.get() or current_span()
                category = step if step is not None else self._current_step
                if category == scope.name:
                    category = None  # what it is anyway, and then the way is shorter
                word = level._value_  # the SDK has seen to it that it is an enum's member; a dictionary is slower
                if event in _SPECIAL and file is None and _SPECIAL[event](scope, word, data, category or None):
                    return
                scope.event(event, data, file, category or None, word)
            except (TypeError, ValueError) as error:
                let_through(error)
                _record_odd(level, event, data, file, step if step is not None else self._current_step)
            except Exception as error:  # noqa: BLE001 - as above
                report(error)

    return log


def _metric(_scope: WorkSpan, _level: Any, data: Any, _category: str | None) -> bool:
    """Record what `RuntimeContext.log_metric` makes for a logger that has no method for it."""
    if set(data) != {"category", "key", "value", "metrics"} or not isinstance(data["metrics"], Mapping):
        return False
    _RECORDING.log_metric(data["category"], data["key"], data["value"], **data["metrics"])
    return True


_SPECIAL: Final[dict[Any, EventRecorder]] = {**EVENT_RECORDERS, "metric": _metric}


@contained
def _record_odd(level: Any, event: Any, data: Any, file: Any, category: Any) -> None:
    """Record what the SDK takes and our own API does not: a name that is no text, or empty."""
    scope = CURRENT.get() or current_span()
    scope.event(_named(event), _as_data(data), file, _named(category) if category else None, level.value)


def _named(value: Any) -> str:
    return str(value).strip() or semconv.OTHER


def _as_data(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {"value": value}


# --- the others -------------------------------------------------------------------------------------------------


def _then(record: Callable[..., Any]) -> Make:
    """Return what makes a method that is recorded when it has returned, whatever it calls itself."""

    def make(original: Any) -> Any:
        recorded = contained(record)

        @functools.wraps(original)
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(self, *args, **kwargs)
            recorded(self, *args, **kwargs)
            return result

        return call

    return make


def _as_a_whole(record: Callable[..., Any]) -> Make:
    """Return what makes a method that is recorded when it has returned, and what it calls meanwhile is not."""

    def make(original: Any) -> Any:
        @functools.wraps(original)
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            if _within():
                return original(self, *args, **kwargs)
            token = _WITHIN.set(True)
            try:
                result = original(self, *args, **kwargs)
            finally:
                _WITHIN.reset(token)
            try:
                record(self, *args, **kwargs)
            except Exception as error:  # noqa: BLE001 - as above
                report(error)
            return result

        return call

    return make


def _record_failed(_logger: Any, step: Any = None) -> None:
    _RECORDING.set_progress_failed(step)


def _record_log(  # noqa: PLR0917 - the signature of the SDK
    logger: Any, level: Any, event: Any, data: Any, file: Any = None, step: Any = None
) -> None:
    scope = CURRENT.get() or current_span()
    category = step if step is not None else _step(logger)
    if file is None and event in _SPECIAL and _SPECIAL[event](scope, level.value, data, category or None):
        return
    _record_odd(level, event, data, file, category)


def _record_progress(logger: Any, current: Any, total: Any, step: Any = None) -> None:
    category = step or _step(logger)
    (CURRENT.get() or current_span()).progress(current, total, str(category) if category else None)


def _record_metrics(logger: Any, value: Any, step: Any = None) -> None:
    (CURRENT.get() or current_span()).metrics(value, str(step or _step(logger)))


def _step(logger: Any) -> Any:
    return logger.get_step()


def _record_event(_logger: Any, event: Any, data: Any, file: Any = None) -> None:
    _RECORDING.log("info", _named(event), _as_data(data), file)


def _record_metric(_logger: Any, category: Any, key: Any, value: Any, **metrics: Any) -> None:
    _RECORDING.log_metric(_named(category), str(key), value, **metrics)


def _record_visualization(_logger: Any, category: Any, group: Any, index: Any, image: Any, **meta: Any) -> None:
    _RECORDING.log_visualization(category, group, index, image, **meta)


def _record_trials(_logger: Any, data: Any = None, **trials: Any) -> None:
    if data is None:
        _RECORDING.log_trials(None, **trials)
    else:
        _RECORDING.log("info", "trials", _as_data(data))


def _record_message(_logger: Any, message: Any, level: Any = None, *, context: Any = None) -> None:
    meant = level if level is not None else context
    (CURRENT.get() or current_span()).message(message, "info" if meant is None else getattr(meant, "value", meant))


_SIDE_DOORS: Final[dict[str, Callable[..., Any]]] = {
    "log_event": _record_event,
    "log_metric": _record_metric,
    "log_visualization": _record_visualization,
    "log_trials": _record_trials,
    "log_message": _record_message,
}
_TEMPLATES: Final[dict[str, Callable[..., Any]]] = {
    "log": _record_log,
    "set_progress": _record_progress,
    "set_metrics": _record_metrics,
    "set_progress_failed": _record_failed,
}
"""What a subclass may have for itself, instead of the hooks that the SDK means for that."""
