"""The plugin's own metrics: a series per category and name, and the handling of values that are not numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from synapse_otel import semconv
from synapse_otel.mapping.values import key_text

if TYPE_CHECKING:
    from synapse_otel.mapping.instruments import Samples

SERIES_LIMIT: Final = 2_000
"""Maximum number of series of a job; values of later names go to one series named `semconv.OTHER`."""


class MetricSeries(dict[Any, Any]):
    """By metric name, the argument of `Samples.record` for its series; created on first use."""

    def __init__(self, samples: Samples, attributes: dict[str, Any], room: list[int]) -> None:
        super().__init__()
        self._samples = samples
        self._attributes = attributes
        self._room = room
        self._bound: list[Any] = []
        """The recorder's series, which exist as long as they are held."""

    def __missing__(self, name: object) -> Any:
        text = key_text(name)
        if type(name) is not str and text in self:
            return self[text]
        if self._room[0] <= 0:
            if semconv.OTHER not in self:
                self[semconv.OTHER] = self._bind(semconv.OTHER)
            return self[semconv.OTHER]
        self._room[0] -= 1
        bound = self._bind(text)
        self[name] = self[text] = bound
        return bound

    def _bind(self, name: str) -> Any:
        bound = self._samples.bind({**self._attributes, semconv.METRIC_NAME: name})
        self._bound.append(bound)
        return getattr(bound, "number", bound)
