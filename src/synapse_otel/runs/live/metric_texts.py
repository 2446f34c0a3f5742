"""Metrics that are no numbers: the latest text of each, so that nobody has to look for it among the messages."""

from __future__ import annotations

from typing import Final

from synapse_otel.runs.live.entry import Json
from synapse_otel.runs.live.log_records import LogRecords

NAMES: Final = 500
"""Metrics with a text that are shown at most; the records of others stand among the messages."""


class MetricTexts:
    """The latest text of each metric; each record is read once."""

    def __init__(self, logs: LogRecords) -> None:
        self._logs = logs
        self._seen = 0
        self._found: dict[tuple[str, str], Json] = {}

    def latest(self) -> list[Json]:
        """Return category, name, value, number of values and time (Unix ms) of each, in the order of their firsts."""
        places = self._logs.metric_texts
        for at in places[self._seen :]:
            told = self._logs.told(at)
            for name, value in told["data"].items():
                key = told["category"], name
                before = self._found.get(key)
                if before is not None or len(self._found) < NAMES:
                    count = before["count"] + 1 if before else 1
                    latest = {"value": value, "count": count, "time": told["time"], "n": at}
                    self._found[key] = {"category": key[0], "name": name, **latest}
        self._seen = len(places)
        return list(self._found.values())
