"""Tables: which columns, in which order, called what, and where a click on them leads."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

from tools.grafana.looks import OFF, ON, WIDTH, Steps, levels, words
from tools.grafana.sources import JAEGER, PROMETHEUS, Query


def rows(title: str, description: str, queries: Sequence[Query], source: DataSourceRef = PROMETHEUS) -> table.Panel:
    """Return a table."""
    return (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(source)
        .targets(list(queries))
        .unit("string")
        .filterable(ON)
        .height(9)
        .span(WIDTH)
    )


def found_traces(title: str, description: str, query: Query) -> table.Panel:
    """Return a table of traces; each leads to its waterfall."""
    return rows(title, description, [query], JAEGER).height(6)


def transformed(panel: table.Panel, kind: str, options: dict[str, object]) -> table.Panel:
    """Let Grafana transform what a table's queries return."""
    return panel.with_transformation(DataTransformerConfig(id_val=kind, options=options))


def merged(panel: table.Panel, columns: dict[str, str]) -> table.Panel:
    """Make one table of the queries' tables, with only these columns: by field, its title, in this order."""
    return chosen(transformed(panel, "merge", {}), columns)


def chosen(panel: table.Panel, columns: dict[str, str]) -> table.Panel:
    """Keep these columns: by field, its title, in this order."""
    panel = transformed(panel, "filterFieldsByName", {"include": {"names": list(columns)}})
    order = {name: at for at, name in enumerate(columns)}
    return transformed(panel, "organize", {"indexByName": order, "renameByName": columns})


def column(
    panel: table.Panel,
    title: str,
    *,
    unit: str = "",
    decimals: int | None = None,
    mappings: dict[str, str] | None = None,
    steps: Steps = (),
    link: tuple[str, str] | None = None,
    width: int = 0,
    bar: bool = OFF,
) -> table.Panel:
    """Say how a column looks; `link` is a title and a URL, `bar`: a bar from 0 to 1."""
    wanted: dict[str, object] = {}
    if unit:
        wanted["unit"] = unit
    if decimals is not None:
        wanted["decimals"] = decimals
    if mappings:
        wanted["mappings"] = words(mappings)
        wanted["custom.cellOptions"] = {"type": "color-text"}
    if steps:
        wanted["thresholds"] = levels(*steps).build()
        wanted["custom.cellOptions"] = {"type": "color-text"}
    if bar:
        wanted |= {"custom.cellOptions": {"type": "gauge", "mode": "basic"}, "min": 0, "max": 1}
    if link:
        wanted["links"] = [{"title": link[0], "url": link[1]}]
    if width:
        wanted["custom.width"] = width
    return panel.override_by_name(title, [DynamicConfigValue(id_val=key, value=value) for key, value in wanted.items()])
