"""Panels: a builder of Grafana's SDK for each kind, with what all panels of the kind have in common."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import bargauge, common, logs, stat, timeseries
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BarGaugeSizing,
    BarGaugeValueMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    DataSourceRef,
    GraphDrawStyle,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    LogsSortOrder,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    FieldColorModeId,
)

from tools.grafana.looks import NO_THRESHOLDS, OFF, ON, RESULT_COLOURS, WIDTH, Steps, colour, fixed, levels
from tools.grafana.sources import PROMETHEUS, Query


def number(
    title: str, description: str, query: Query, *, unit: str = "short", steps: Steps = NO_THRESHOLDS, none: str = "0"
) -> stat.Panel:
    """Return one number; `none` stands where there is nothing."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .with_target(query)
        .unit(unit)
        .no_value(none)
        .thresholds(levels(*steps))
        .color_scheme(colour(FieldColorModeId.THRESHOLDS))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(OFF))
        .height(4)
        .span(4)
    )


def word(
    title: str,
    description: str,
    query: Query,
    colours: dict[str, str],
    *,
    none: str,
    source: DataSourceRef = PROMETHEUS,
) -> stat.Panel:
    """Return the name of the only series, coloured by it."""
    panel = number(title, description, query, none=none).datasource(source).unit("string")
    panel = panel.text_mode(BigValueTextMode.NAME).color_mode(BigValueColorMode.BACKGROUND)
    for name, properties in fixed(colours):
        panel = panel.override_by_regexp(f"^{name}", properties)
    return panel


def curves(
    title: str, description: str, queries: Sequence[Query], *, unit: str = "short", least: float | None = 0
) -> timeseries.Panel:
    """Return lines over time; the axis begins at `least`, or where the values do."""
    legend = (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(ON)
        .calcs([])
    )
    tooltip = common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .targets(list(queries))
        .unit(unit)
        .thresholds(levels(*NO_THRESHOLDS))
        .color_scheme(colour())
        .legend(legend)
        .tooltip(tooltip)
        .line_width(1)
        .fill_opacity(8)
        .show_points(VisibilityMode.AUTO)
        .height(8)
        .span(12)
    )
    return panel if least is None else panel.min(least)


def stacked(panel: timeseries.Panel) -> timeseries.Panel:
    """Put a panel's lines on top of each other."""
    return panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(30)


def bars(panel: timeseries.Panel) -> timeseries.Panel:
    """Draw a panel's numbers as bars on top of each other."""
    return stacked(panel).draw_style(GraphDrawStyle.BARS).fill_opacity(80).line_width(0)


def results(description: str, query: Query, source: DataSourceRef) -> timeseries.Panel:
    """Return bars of ended jobs in the colours of their results, at the times they ended."""
    panel = bars(curves("Ended, by result", description, [query])).datasource(source).interval("30s").decimals(0)
    for result, properties in fixed(RESULT_COLOURS):
        panel = panel.override_by_name(result, properties)
    return panel


def limit(panel: timeseries.Panel, *steps: tuple[float | None, str]) -> timeseries.Panel:
    """Draw thresholds as dashed lines."""
    style = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
    return panel.thresholds(levels(*steps)).thresholds_style(style)


def gauges(
    title: str, description: str, queries: Sequence[Query], *, unit: str = "short", steps: Steps = NO_THRESHOLDS
) -> bargauge.Panel:
    """Return a horizontal bar for each series."""
    return (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .targets(list(queries))
        .unit(unit)
        .min(0)
        .thresholds(levels(*steps))
        .color_scheme(colour(FieldColorModeId.THRESHOLDS))
        .orientation(VizOrientation.HORIZONTAL)
        .display_mode(BarGaugeDisplayMode.BASIC)
        .value_mode(BarGaugeValueMode.TEXT)
        .sizing(BarGaugeSizing.AUTO)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(OFF))
        .height(8)
        .span(12)
    )


def lines(title: str, description: str, query: Query, source: DataSourceRef) -> logs.Panel:
    """Return log records, the newest first."""
    return (
        logs.Panel()
        .title(title)
        .description(description)
        .datasource(source)
        .with_target(query)
        .show_time(ON)
        .wrap_log_message(ON)
        .enable_log_details(ON)
        .enable_infinite_scrolling(ON)
        .sort_order(LogsSortOrder.DESCENDING)
        .height(10)
        .span(WIDTH)
    )
