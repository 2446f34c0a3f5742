"""The events that mean more than their name: messages for the user, and records for the plugin's developers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from synapse_otel.mapping.job import WorkSpan

_MESSAGE_KEYS: Final = frozenset({"content", "key"})
_DEVELOPER_KEYS: Final = frozenset({"message", "data"})

EventRecorder = Callable[["WorkSpan", Any, Any, "str | None"], bool]
"""Records ``(scope, level, data, category)`` if the data is of its form, and says whether it did."""


def _message(scope: WorkSpan, level: Any, data: Any, category: str | None) -> bool:
    if type(data) is dict and len(data) == 1 and "content" in data:
        scope.message(data["content"], level, category)
        return True
    if not _has_form(data, "content", _MESSAGE_KEYS):
        return False
    scope.message(data["content"], level, category, data.get("key"))
    return True


def _debug(scope: WorkSpan, level: Any, data: Any, category: str | None) -> bool:
    if not _is_debug(level) or not _has_form(data, "content", _MESSAGE_KEYS):
        return False
    scope.developer_event(data["content"], None, category)
    return True


def _developer_event(scope: WorkSpan, level: Any, data: Any, category: str | None) -> bool:
    if not _is_debug(level) or not _has_form(data, "message", _DEVELOPER_KEYS):
        return False
    scope.developer_event(data["message"], data.get("data"), category)
    return True


def _has_form(data: Any, required: str, allowed: frozenset[str]) -> bool:
    """Anything beyond the form would be lost with it: such data is a plain event."""
    return isinstance(data, Mapping) and required in data and allowed.issuperset(data)


def _is_debug(level: Any) -> bool:
    return str(level.value if isinstance(level, Enum) else level).lower() == "debug"


EVENT_RECORDERS: Final[dict[str, EventRecorder]] = {
    "message": _message,
    "debug": _debug,
    "dev_event": _developer_event,
}
