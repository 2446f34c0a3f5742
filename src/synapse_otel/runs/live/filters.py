"""Filters of log records on the page, updated while more arrive."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final, NamedTuple

from synapse_otel.runs import LogKind
from synapse_otel.runs.live.entry import Json
from synapse_otel.runs.live.log_records import LogRecords
from synapse_otel.semconv.severity import Severity

LEVELS: Final[tuple[tuple[str, int], ...]] = (
    ("debug", Severity.UNSPECIFIED),
    ("info", Severity.INFO),
    ("success", Severity.SUCCESS),
    ("warning", Severity.WARN),
    ("error", Severity.ERROR),
)
"""Words of the page, and the least severity of each."""
_KINDS: Final = list(LogKind)
_DEVELOPER: Final = frozenset({_KINDS.index(LogKind.DEVELOPER), _KINDS.index(LogKind.LOGGING)})
_KEPT: Final = 32


class LogFilter(NamedTuple):
    """A filter."""

    severity: int = 0
    audience: str = "all"
    """``user``: records for users; ``developer``: developer events and Python's logging; ``all``."""
    category: str | None = None
    text: str = ""
    """In small letters."""
    metric_texts: bool = True
    """Whether records of metrics that are no numbers are among them: there may be one for each epoch."""


class FilteredLogs:
    """The positions of the records that match filters; each record is checked once."""

    def __init__(self, logs: LogRecords) -> None:
        self._logs = logs
        self._found: dict[LogFilter, tuple[int, list[int]]] = {}

    def places(self, wanted: LogFilter) -> list[int]:
        """Return the places of the records, in their order."""
        seen, found = self._found.pop(wanted, (0, []))
        found += self._look(wanted, seen)
        self._found[wanted] = len(self._logs), found
        while len(self._found) > _KEPT:
            del self._found[next(iter(self._found))]
        return found

    def clear(self) -> None:
        """Discard the matches: the order of the records has changed."""
        self._found.clear()

    def _look(self, wanted: LogFilter, seen: int) -> list[int]:
        logs = self._logs
        places = range(seen, len(logs))
        found = list(places)
        if not wanted.metric_texts:
            folded = set(logs.metric_texts[bisect_left(logs.metric_texts, seen) :])
            found = [at for at in found if at not in folded]
        if wanted.severity:
            found = [at for at in found if logs.severities[at] >= wanted.severity]
        if wanted.audience != "all":
            is_developer = wanted.audience == "developer"
            found = [at for at in found if (logs.kinds[at] in _DEVELOPER) is is_developer]
        if wanted.category is not None:
            numbers = {number for number, name in enumerate(logs.names) if name == wanted.category}
            found = [at for at in found if logs.categories[at] in numbers]
        if wanted.text:
            words = wanted.text.split()
            found = [at for at in found if all(word in logs.text(at) for word in words)]
        return found


def counts_of(logs: LogRecords) -> Json:
    """Return how many records there are in all, and by the words of the page's filters."""
    by_severity: dict[int, int] = {}
    for severity in logs.severities:
        by_severity[severity] = by_severity.get(severity, 0) + 1
    least = {word: sum(count for severity, count in by_severity.items() if severity >= at) for word, at in LEVELS}
    developer = sum(logs.kinds.count(kind) for kind in _DEVELOPER)
    return {
        "total": len(logs),
        "least": least,
        "developer": developer,
        "user": len(logs) - developer,
        "metric_texts": len(logs.metric_texts),
        "images": len(logs.images),
        "categories": [name for name in logs.names if name],
    }
