"""A dashboard's queries, read from its committed JSON and asked as Grafana asks them."""

from __future__ import annotations

import json
import math
import re
import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.grafana.demo import Demo
from tools.stack.fetch import get_json, get_text

FOLDER = Path(__file__).parents[2] / "grafana" / "dashboards"
NAMES = tuple(path.stem for path in sorted(FOLDER.glob("*.json")))
VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::(?P<format>\w+))?\}|(?P<bare>\w+))")

RANGE_SECONDS = 900
LINES = 1000
"""Log records that the data source asks for at most."""
INTERVAL = "15s"
"""What Grafana makes of this range and a panel of some hundred pixels, with the data source's least step."""
Chosen = str | tuple[str, ...]
"""One value of a variable, or several."""


class Every(str):
    """The value of `All`: Grafana gives it no format."""

    __slots__ = ()


BUILT_IN: dict[str, Chosen] = {"__range": f"{RANGE_SECONDS}s", "__interval": INTERVAL, "__rate_interval": "60s"}


def read(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """Return a dashboard's JSON."""
    board: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return board


def panels(board: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the panels, without the rows' headings."""
    yield from (panel for panel in board["panels"] if panel["type"] != "row")


def used(text: str) -> set[str]:
    """Return the names of the variables in a text, without Grafana's own."""
    found = {match["braced"] or match["bare"] for match in VARIABLE.finditer(text)}
    return {name for name in found if not name.startswith("__")}


SPECIAL = re.compile(r"[\\^$*+?.()|\[\]{}/]")


def formatted(chosen: Chosen, form: str) -> str:
    """Return what Grafana puts in for a variable; without a format, as its Prometheus has it."""
    if isinstance(chosen, Every) or form == "raw":
        return str(chosen)
    several = (chosen,) if isinstance(chosen, str) else chosen
    if form == "doublequote":
        return ",".join('"' + value.replace('"', '\\"') + '"' for value in several)
    assert form in {"", "regex"}, form
    if form == "regex":
        several = tuple(SPECIAL.sub(r"\\\g<0>", value) for value in several)
    elif isinstance(chosen, tuple):  # inside double quotes
        several = tuple(SPECIAL.sub(r"\\\\\g<0>", value) for value in several)
    return several[0] if len(several) == 1 else f"({'|'.join(several)})"


@dataclass
class Answer:
    """What a query returned: series by labels, log records by their fields, or traces of Jaeger."""

    target: dict[str, Any]
    query: str
    result: list[Any] = field(default_factory=list)

    def by(self, *labels: str) -> dict[tuple[str, ...], float]:
        """Return the last number of each series, by these labels, which tell them apart."""
        found = {tuple(series["metric"].get(label, "") for label in labels): _last(series) for series in self.result}
        assert len(found) == len(self.result), f"{labels} do not tell the series apart"
        return found

    @property
    def lines(self) -> list[str]:
        """Return the text of each log record."""
        return [record.get("_msg", "") for record in self.result]

    @property
    def number(self) -> float:
        """Return the only number."""
        (only,) = self.result
        return _last(only)


def _last(series: Mapping[str, Any]) -> float:
    return float(series["value"][1] if "value" in series else series["values"][-1][1])


class Asker:
    """Asks the servers of a demo, with variables chosen as a user would, in the quarter of an hour up to now."""

    def __init__(self, demo: Demo, board: Mapping[str, Any], chosen: Mapping[str, Chosen]) -> None:
        self.demo = demo
        self.board = board
        self.variables = {each["name"]: each for each in board["templating"]["list"]} if "templating" in board else {}
        self.chosen: dict[str, Chosen] = dict(chosen)
        self.end = time.time()
        for name in self.variables:  # a hidden one takes its first value, or all
            self.chosen.setdefault(name, self._default(name))

    def _default(self, name: str) -> Chosen:
        variable = self.variables[name]
        if variable.get("includeAll"):
            return Every(variable["allValue"]) if "allValue" in variable else tuple(self.options(name))
        if variable["type"] in {"custom", "textbox"}:
            return str(variable["current"]["value"])
        options = self.options(name)
        return options[0] if options else ""

    def substitute(self, text: str) -> str:
        """Put the variables' values in."""
        known = self.chosen | BUILT_IN

        def value(match: re.Match[str]) -> str:
            chosen = known[match["braced"] or match["bare"]]
            text = formatted(chosen, match["format"] or "")
            return text if match["format"] else self.substitute(text)

        return VARIABLE.sub(value, text)

    def options(self, name: str) -> list[str]:
        """Return the values that a variable offers."""
        query = self.substitute(self.variables[name]["query"]["query"])
        if query.startswith("query_result("):
            return list(self.shown(name))
        asked = re.fullmatch(r"label_values\((?P<series>.+), (?P<label>\w+)\)", query)
        assert asked, query
        parameters = [("match[]", asked["series"]), *self._span()]
        found: list[str] = get_json(f"{self.demo.prometheus}/api/v1/label/{asked['label']}/values", parameters)["data"]
        return found

    def shown(self, name: str) -> dict[str, str]:
        """Return what a variable with texts of its own offers: by value, its text.

        They are taken out of the query's series, each of which the data source writes as one line.
        """
        variable = self.variables[name]
        query = self.substitute(variable["query"]["query"]).removeprefix("query_result(").removesuffix(")")
        pattern = re.compile(variable["regex"].strip("/").replace("(?<", "(?P<"))
        found = {}
        for series in self.prometheus(query).result:
            labels = ",".join(f'{label}="{value}"' for label, value in series["metric"].items())
            match = pattern.search(f"{{{labels}}} {series['value'][1]} {float(series['value'][0]) * 1000:.0f}")
            assert match, labels
            found[match["value"]] = match["text"]
        return found

    def panel(self, title: str) -> list[Answer]:
        """Return the answers of the panel with this title."""
        (found,) = [panel for panel in panels(self.board) if panel["title"] == title]
        return self.answers(found)

    def answers(self, panel: Mapping[str, Any]) -> list[Answer]:
        """Return the answer of each of a panel's queries."""
        return [self._ask(target) for target in panel["targets"]]

    def _ask(self, target: dict[str, Any]) -> Answer:
        kind = target["datasource"]["uid"]
        if kind == "prometheus":
            answer = self.prometheus(self.substitute(target["expr"]), step=INTERVAL if target.get("range") else "")
        elif kind == "victorialogs":
            answer = self.victorialogs(self.substitute(target["expr"]), target["queryType"], target.get("maxLines", 0))
        else:
            answer = self._jaeger(target)
        return Answer(target, answer.query, answer.result)

    def _span(self) -> list[tuple[str, str]]:
        return [("start", f"{self.end - RANGE_SECONDS:.3f}"), ("end", self._end())]

    def prometheus(self, query: str, *, step: str = "") -> Answer:
        """Return the answer to a query for the end of the range, or, with a step, for all of it."""
        path, when = ("query_range", [*self._span(), ("step", step)]) if step else ("query", [("time", self._end())])
        answer = get_json(f"{self.demo.prometheus}/api/v1/{path}", [("query", query), *when])
        return Answer({}, query, answer["data"]["result"])

    def exemplars(self, target: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the exemplars of the series that a query names."""
        parameters = [("query", self.substitute(target["expr"])), *self._span()]
        answer = get_json(f"{self.demo.prometheus}/api/v1/query_exemplars", parameters)
        return [exemplar for series in answer["data"] for exemplar in series["exemplars"]]

    def victorialogs(self, query: str, kind: str = "instant", lines: int = 0) -> Answer:
        """Return the answer to a query of a kind, asked as Grafana's data source does: in whole seconds."""
        start, end = str(math.floor(self.end) - RANGE_SECONDS), str(math.floor(self.end))
        base = f"{self.demo.victorialogs}/select/logsql"
        if kind == "instant":
            asked = [("query", query), ("limit", str(lines or LINES)), ("start", start), ("end", end)]
            records = get_text(f"{base}/query", asked)
            return Answer({}, query, [json.loads(line) for line in records.splitlines()])
        if kind == "stats":
            query = f"_time:[{start}, {end}] {query}"
            answer = get_json(f"{base}/stats_query", [("query", query), ("time", end)])
        else:
            assert kind == "statsRange", kind
            asked = [("query", query), ("start", start), ("end", end), ("step", INTERVAL)]
            answer = get_json(f"{base}/stats_query_range", asked)
        return Answer({}, query, answer["data"]["result"])

    def _end(self) -> str:
        return f"{self.end:.3f}"

    def _jaeger(self, target: dict[str, Any]) -> Answer:
        tags = dict(part.split("=", 1) for part in shlex.split(self.substitute(target["tags"])))
        parameters = [
            ("service", self.substitute(target["service"])),
            ("tags", json.dumps(tags)),
            ("limit", str(target["limit"])),
            ("lookback", "custom"),
            ("start", str(round((self.end - RANGE_SECONDS) * 1e6))),
            ("end", str(round(self.end * 1e6))),
        ]
        return Answer({}, json.dumps(tags), get_json(f"{self.demo.jaeger}/api/traces", parameters)["data"])
