"""Colours, thresholds and the words that have them: what looks the same on all panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

from synapse_otel import semconv
from synapse_otel.runs.state import RunState

ON: Final = True
OFF: Final = False

WIDTH: Final = 24
"""Columns of Grafana's grid."""

GREEN, YELLOW, ORANGE, RED, DARK_RED, BLUE, GREY = "green", "yellow", "orange", "red", "dark-red", "blue", "text"

RESULT_COLOURS: Final = {
    semconv.RESULT_SUCCESS: GREEN,
    semconv.RESULT_FAILURE: RED,
    semconv.RESULT_ERROR: DARK_RED,
    semconv.RESULT_TIMEOUT: ORANGE,
    semconv.RESULT_CANCELLATION: BLUE,
    semconv.RESULT_SKIP: GREY,
}
STATE_COLOURS: Final = {
    RunState.LIVE.value: GREEN,
    RunState.STALLED.value: ORANGE,
    RunState.CRASHED.value: RED,
    RunState.DONE.value: GREY,
}

Steps = Sequence[tuple[float | None, str]]
"""Thresholds: from which value on, which colour; the first has none."""

SHARE_FAILED: Final[Steps] = ((None, GREEN), (0.05, ORANGE), (0.2, RED))
ITEMS_A_SECOND: Final = "suffix: items/s"

NO_THRESHOLDS: Final[Steps] = ((None, GREEN),)


LIMIT_LINE: Final = [
    DynamicConfigValue(id_val="color", value={"fixedColor": RED, "mode": FieldColorModeId.FIXED.value}),
    DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [10, 10]}),
    DynamicConfigValue(id_val="custom.fillOpacity", value=0),
]
"""How a line looks that the others cannot pass."""


def levels(*steps: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """Return thresholds."""
    listed = [Threshold(value=value, color=colour) for value, colour in steps]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(listed)


def colour(mode: FieldColorModeId = FieldColorModeId.PALETTE_CLASSIC, fixed: str = "") -> dashboard.FieldColor:
    """Return how series are coloured."""
    built = dashboard.FieldColor().mode(mode)
    return built.fixed_color(fixed) if fixed else built


def fixed(colours: dict[str, str]) -> list[tuple[str, list[DynamicConfigValue]]]:
    """Return overrides by the series' names."""
    mode = FieldColorModeId.FIXED.value
    return [
        (name, [DynamicConfigValue(id_val="color", value={"fixedColor": chosen, "mode": mode})])
        for name, chosen in colours.items()
    ]


def words(colours: dict[str, str]) -> list[ValueMapping]:
    """Return mappings that give words their colours."""
    results = {
        word: ValueMappingResult(text=word, color=chosen, index=at) for at, (word, chosen) in enumerate(colours.items())
    }
    return [ValueMap(options=results)]
