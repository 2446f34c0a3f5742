"""The committed dashboards: what the generator makes, what Grafana's SDK can read, and nothing that points nowhere."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from synapse_otel import semconv
from synapse_otel.semconv.prometheus import label, series
from tests.grafana.asking import NAMES, panels, read, used
from tests.grafana.provisioning import ROOT, sources
from tools.grafana import __main__ as command
from tools.grafana import names, queries
from tools.grafana.files import FOLDERS, read_back
from tools.grafana.log_store import LogStore
from tools.grafana.loki import LOKI

pytestmark = pytest.mark.once

LOKI_SOURCE = {"type": LOKI.source.type_val, "uid": LOKI.source.uid}
TOOLS = ROOT / "tools" / "grafana"
WIDTH = 24
NUMBERS = {"stat", "timeseries", "bargauge", "table"}
"""Kinds of panels whose values have a unit."""

every_board = pytest.mark.parametrize(
    ("folder", "name"),
    list(product(FOLDERS, NAMES)),
    ids=[f"{store.source.uid}-{name}" for store, name in product(FOLDERS.values(), NAMES)],
)


def expressions(board: dict[str, Any]) -> Iterator[str]:
    """Yield each text that a backend is asked with."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield target.get("expr") or f"{target['service']} {target['tags']}"
    for variable in board.get("templating", {}).get("list", []):
        if variable["type"] == "query":
            yield variable["query"]["query"]
    for annotation in board.get("annotations", {}).get("list", []):
        yield annotation["expr"] if "expr" in annotation else annotation["target"]["expr"]


def provisioning_of(folder: Path) -> Path:
    return folder.with_name("provisioning")


def logql(name: str) -> dict[str, str]:
    """Return by its panel, or its mark, each query of a dashboard that is asked of Loki."""
    (folder,) = [folder for folder, store in FOLDERS.items() if store is LOKI]
    board = read(name, folder)
    asked = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in panels(board)
        for target in panel["targets"]
        if target["datasource"] == LOKI_SOURCE
    }
    marks = board.get("annotations", {}).get("list", [])
    return asked | {mark["name"]: mark["expr"] for mark in marks if mark["datasource"] == LOKI_SOURCE}


def test_there_are_the_four() -> None:
    titles = {name: read(name)["title"] for name in NAMES}
    assert titles == {
        "job": "Synapse: job",
        "jobs": "Synapse: jobs",
        "pipeline": "Synapse: pipeline health",
        "plugin": "Synapse: plugin",
    }


def test_what_is_committed_is_what_the_generator_makes(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--check"]) == 0, capsys.readouterr().out


def test_the_check_finds_a_changed_and_a_forgotten_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changed, forgotten = tmp_path / "jobs.json", tmp_path / "old.json"
    changed.write_text("{}")
    forgotten.write_text("{}")
    monkeypatch.setattr(command, "FOLDERS", {tmp_path: LOKI})
    monkeypatch.setattr(command, "texts", lambda: {changed: "new"})
    assert command.main(["--check"]) == 1
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [str(changed), str(forgotten)]
    assert command.main([]) == 0
    assert changed.read_text() == "new"
    assert not forgotten.exists()
    assert command.main(["--check"]) == 0


@every_board
def test_grafanas_own_types_read_it_and_write_the_same(folder: Path, name: str) -> None:
    text = (folder / f"{name}.json").read_text(encoding="utf-8")
    assert read_back(text) == text


@every_board
def test_the_columns_of_a_table_come_from_its_queries(folder: Path, name: str) -> None:
    for panel in panels(read(name, folder)):
        done = {each["id"]: each["options"] for each in panel.get("transformations", [])}
        if "merge" not in done:
            continue
        kept, titles = done["filterFieldsByName"]["include"]["names"], done["organize"]["renameByName"]
        asked = {f"Value #{target['refId']}" for target in panel["targets"]}
        named = {column for column in kept if column.startswith("Value #")}
        only_labels = {"Value #A"} if panel["title"] == "Jobs of the last hour" else set()
        assert named == asked - only_labels, panel["title"]
        assert sorted(titles) == sorted(kept)
        assert len(set(titles.values())) == len(titles), panel["title"]
        for override in panel["fieldConfig"]["overrides"]:
            assert override["matcher"]["options"] in titles.values(), panel["title"]


def test_ids_are_unique() -> None:
    boards = [read(name) for name in NAMES]
    assert len({board["uid"] for board in boards}) == len(boards)
    for board in boards:
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)
        titles = [panel["title"] for panel in panels(board)]
        assert len(set(titles)) == len(titles)
        for panel in panels(board):
            references = [target["refId"] for target in panel["targets"]]
            assert len(set(references)) == len(references), panel["title"]


@every_board
def test_panels_do_not_overlap_and_leave_no_hole(folder: Path, name: str) -> None:
    cells: dict[str, set[tuple[int, int]]] = {}
    for panel in read(name, folder)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= WIDTH, panel["title"]
        cells[panel["title"]] = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
    for (one, its), (other, others) in combinations(cells.items(), 2):
        assert not its & others, f"{one} lies on {other}"
    taken = set().union(*cells.values())
    lowest = max(y for _x, y in taken)
    assert len(taken) == WIDTH * (lowest + 1), "a hole"


@every_board
def test_every_panel_says_what_it_means(folder: Path, name: str) -> None:
    for panel in panels(read(name, folder)):
        said = panel["description"]
        assert panel["title"]
        assert len(said) > 25, panel["title"]
        assert said.endswith("."), panel["title"]
        if panel["type"] in NUMBERS:
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


@every_board
def test_curves_and_bars_have_short_names(folder: Path, name: str) -> None:
    for panel in panels(read(name, folder)):
        if panel["type"] in {"timeseries", "bargauge"}:
            for target in panel["targets"]:
                assert target["legendFormat"] not in {"", "__auto"}, panel["title"]
                by = set(re.findall(r"\{\{([\w.]+)\}\}", target["legendFormat"]))
                grouped = [set(text.split(", ")) for text in re.findall(r"\bby \(([^)]*)\)", target["expr"])]
                if by and grouped:
                    assert by <= grouped[0], f"{panel['title']}: a label that the sum has not"


def test_buckets_have_the_names_that_grafana_sorts_them_by() -> None:
    asked = [target for name in NAMES for panel in panels(read(name)) for target in panel["targets"]]
    buckets = [target for target in asked if target.get("format") == "heatmap"]
    assert [target["legendFormat"] for target in buckets] == ["{{le}}"]


@every_board
def test_data_sources_are_those_that_are_provisioned(folder: Path, name: str) -> None:
    provisioned = sources(provisioning_of(folder))
    known = {uid: each["type"] for uid, each in provisioned.items()}
    board = read(name, folder)
    asked = [target["datasource"] for panel in panels(board) for target in panel["targets"]]
    asked += [panel["datasource"] for panel in panels(board)]
    asked += [each["datasource"] for each in board.get("annotations", {}).get("list", [])]
    asked += [each["datasource"] for each in board.get("templating", {}).get("list", []) if each["type"] == "query"]
    for source in asked:
        assert known[source["uid"]] == source["type"]
    for panel in panels(board):
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {panel["datasource"]["uid"]}


@every_board
def test_every_variable_is_defined_used_and_depends_on_those_before_it(folder: Path, name: str) -> None:
    board = read(name, folder)
    variables = board.get("templating", {}).get("list", [])
    defined: set[str] = set()
    for variable in variables:
        if variable["type"] == "query":
            assert used(variable["query"]["query"]) <= defined, variable["name"]
        assert variable["name"] not in defined
        assert variable["description"].endswith("."), variable["name"]
        defined.add(variable["name"])
    everywhere = used(json.dumps(board))
    assert everywhere - defined == set()
    assert defined - everywhere == set(), "nobody asks with it"


def test_links_lead_to_dashboards_that_have_their_variables() -> None:
    boards = {board["uid"]: board for board in map(read, NAMES)}
    links = {link for board in boards.values() for link in re.findall(r'"url": "(/d/[^"]+)"', json.dumps(board))}
    assert links
    for link in links:
        target = boards[re.match(r"/d/([\w-]+)", link)[1]]  # type: ignore[index]
        known = {variable["name"] for variable in target["templating"]["list"]}
        assert set(re.findall(r"var-(\w+)=|\$\{(\w+):queryparam\}", link)) <= {
            *((name, "") for name in known),
            *(("", name) for name in known),
        }, link


def test_the_way_to_a_trace_is_a_query_of_jaeger() -> None:
    from urllib.parse import unquote

    from tools.grafana.links import TO_TRACE

    panes = json.loads(unquote(TO_TRACE[1].partition("panes=")[2]))
    assert panes["trace"] == {"datasource": "jaeger", "queries": [{"refId": "A", "query": "${__value.raw}"}]}
    assert TO_TRACE[1] in json.dumps(read("jobs"))


@every_board
def test_names_follow_from_the_code_and_the_rules(folder: Path, name: str) -> None:
    text = "\n".join(expressions(read(name, folder)))
    every = (*semconv.METRICS, *semconv.SELF_METRICS, *semconv.USAGE_METRICS, *semconv.VERIFY_METRICS)
    metrics = {one for metric in every for one in series(metric)}
    labels = {label(attribute.key) for attribute in semconv.ATTRIBUTES}
    asked = set(re.findall(r"(?<![:\w.])(?:synapse|otel_sdk|otel_component)_\w+", text))
    assert asked - metrics - labels == set()
    known = {attribute.key for attribute in semconv.ATTRIBUTES} | {event.name for event in semconv.EVENTS}
    assert set(re.findall(r"\b(?:synapse|service|exception|error)\.[\w.]+", text)) <= known
    assert set(re.findall(r"synapse:[\w:]+", text)) <= names.all_recorded()


def test_the_generator_makes_up_no_name() -> None:
    for path in sorted(TOOLS.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.search(r"\bsynapse[._][a-z]|\botel_sdk_", node.value), f"{path.name}: {node.value}"
    with pytest.raises(KeyError, match="synapse:no_such_thing"):
        names.recorded("synapse:no_such_thing")


@pytest.mark.parametrize("name", NAMES)
def test_the_queries_for_loki_are_those_that_a_real_loki_has_answered(name: str, snapshot: SnapshotAssertion) -> None:
    """No Loki is run here. A query that differs from the snapshot has not run: see docs/dashboards.md."""
    assert logql(name) == snapshot


def test_the_dashboards_differ_in_the_log_store_alone() -> None:
    def without_logs(folder: Path, store: LogStore, name: str) -> list[Any]:
        board = read(name, folder)
        kept = [panel for panel in panels(board) if panel["datasource"]["uid"] != store.source.uid]
        for panel in kept:
            panel["targets"] = [each for each in panel["targets"] if "vl_rows_dropped" not in each.get("expr", "")]
        return [(panel["title"], panel["description"], panel["gridPos"]) for panel in panels(board)] + [
            [panel["title"], panel["targets"]] for panel in kept if panel["title"] != "Refused by a backend for good"
        ]

    for name in NAMES:
        one, other = (without_logs(folder, store, name) for folder, store in FOLDERS.items())
        assert one == other, name


def test_the_growth_of_a_counter_begins_at_nothing() -> None:
    assert queries.grown("x") == (
        "(last_over_time(x[$__range]) - (last_over_time(x[1h] offset $__range) or 0 * last_over_time(x[$__range])))"
    )
