"""The telemetry schema is what OpenTelemetry's format says, and leads from the names of each release to today's."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from synapse_otel._version import __version__
from synapse_otel.journal.folder import run_folders
from synapse_otel.journal.frames import Scope, Segment
from synapse_otel.journal.reader import read_all
from synapse_otel.testing import recorded_job
from tools.docs import telemetry_schema
from tools.docs.__main__ import main
from tools.docs.interface import FILE as INTERFACE
from tools.docs.telemetry_schema import (
    Metric,
    Names,
    converted,
    load,
    missing,
    published,
    version_line,
    versions,
)

pytestmark = pytest.mark.once

PLACE = "https://schemas.example.com/synapse-otel"
TODAY = Names.of(INTERFACE.read_text(encoding="utf-8"))
EARLIER = sorted(telemetry_schema.NAMES.glob("*.txt"))

_NAME = {"type": "string", "minLength": 1}
_MAP = {"type": "object", "additionalProperties": _NAME, "minProperties": 1}
_LIST = {"type": "array", "items": _NAME}


def _only(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _section(*kinds: dict[str, Any]) -> dict[str, Any]:
    one = [kind | {"required": list(kind["properties"])} for kind in kinds]
    return _only(changes={"type": "array", "items": {"oneOf": one}}) | {"required": ["changes"]}


def _renamed(**applies: Any) -> dict[str, Any]:
    return _only(rename_attributes=_only(attribute_map=_MAP, **applies) | {"required": ["attribute_map"]})


_SPLIT = _only(apply_to_metric=_NAME, by_attribute=_NAME, metrics_from_attributes=_MAP)
FORMAT = {
    "type": "object",
    "properties": {
        "file_format": {"const": "1.1.0"},
        "schema_url": {"type": "string", "pattern": r"^https?://[^/]+/(.+/)?\d+\.\d+\.\d+$"},
        "versions": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": r"^\d+\.\d+\.\d+$"},
            "additionalProperties": _only(
                all=_section(_renamed()),
                resources=_section(_renamed()),
                spans=_section(_renamed(apply_to_spans=_LIST)),
                span_events=_section(
                    _only(rename_events=_only(name_map=_MAP)), _renamed(apply_to_spans=_LIST, apply_to_events=_LIST)
                ),
                metrics=_section(
                    _only(rename_metrics=_MAP),
                    _renamed(apply_to_metrics=_LIST),
                    _only(split=_SPLIT | {"required": list(_SPLIT["properties"])}),
                ),
                logs=_section(_renamed()),
            ),
        },
    },
    "required": ["file_format", "schema_url", "versions"],
    "additionalProperties": False,
}
"""What "Schema File Format 1.1.0" of the OpenTelemetry specification allows."""


def faults(text: str) -> list[str]:
    return [error.message for error in Draft202012Validator(FORMAT).iter_errors(load(text))]


def test_the_file_is_what_the_format_says() -> None:
    text = published(PLACE)
    assert faults(text) == []
    assert yaml.safe_load(text) == load(text), "every YAML parser reads the same"


@pytest.mark.parametrize(
    "wrong",
    [
        published(PLACE).replace("1.1.0", "1.2.0"),
        published(PLACE).replace("schema_url", "schema"),
        published(PLACE).replace("versions:", "versions:\n  next:\n    all: {changes: []}"),
        published(PLACE).replace("all:", "profiles:"),
        published(PLACE).replace("changes: []", "changes: [{rename_metrics: {a: b}}]"),
        published(PLACE).replace("changes: []", "changes: [{rename_attributes: {a: b}}]"),
    ],
)
def test_a_file_that_the_format_does_not_allow_is_found(wrong: str) -> None:
    assert faults(wrong)


def test_its_newest_version_is_the_releases_and_ends_its_address() -> None:
    schema = load(published(PLACE))
    assert versions(schema)[-1] == version_line(__version__)
    assert schema["schema_url"] == f"{PLACE}/{versions(schema)[-1]}"


def test_it_is_fetched_from_the_address_that_it_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = partial(Silent, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert main(["schema", "--at", f"http://127.0.0.1:{server.server_address[1]}/"]) == 0
        text = capsys.readouterr().out
        (tmp_path / version_line(__version__)).write_text(text)
        with urlopen(load(text)["schema_url"]) as answer:
            assert answer.read().decode() == text
        server.shutdown()


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    "place", ["", "synapse-otel", "ftp://schemas.example.com", "https://", "https://a/b?c", "tag:a"]
)
def test_an_address_that_nobody_can_fetch_from_is_refused(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["schema", "--at", place])
    assert ended.value.code == 2
    assert "must be like https://SERVER/PATH" in capsys.readouterr().err


def test_records_claim_no_schema() -> None:
    """As long as there is no address of the file: docs/api.md says so."""
    with recorded_job("train", plugin="yolo") as job:
        job.ctx.log_message("one")
        job.ctx.set_metrics({"loss": 1.0}, "training")
        (folder,) = run_folders(job.folder)
        heads = [record for _frame, record in read_all(folder) if isinstance(record, Scope | Segment)]
    assert {type(head) for head in heads} == {Scope, Segment}
    assert {head.schema_url for head in heads} == {""}


# --- from the names of a release to today's ------------------------------------------------------------


def test_every_version_has_its_names() -> None:
    assert [path.stem for path in EARLIER] == sorted(versions(load(published(PLACE))))


@pytest.mark.parametrize("path", EARLIER, ids=lambda path: path.stem)
def test_the_names_of_a_release_lead_to_todays(path: Path) -> None:
    """A name that is gone needs a rule in docs/schemas/telemetry.yaml, and a version that may have it."""
    if path.stem.split(".")[0] != __version__.split(".")[0]:
        pytest.skip("a major version may remove names")
    names = Names.of(path.read_text(encoding="utf-8"))
    assert len(names.metrics) > 50
    assert len(names.attributes) > 50
    assert len(names.events) > 5
    assert missing(converted(names, load(published(PLACE)), path.stem), TODAY) == []


WAS = Names(
    {
        "job.eta": Metric("gauge", "s", frozenset({"id", "kind"})),
        "io": Metric("counter", "By", frozenset({"way", "id"})),
    },
    {"id": "string", "kind": "string", "way": "string"},
    frozenset({"begun"}),
)


def schema(**sections: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a file whose version 0.2.0 has changes, in the order in which the sections are given."""
    later = {name: {"changes": changes} for name, changes in sections.items()}
    return {"versions": {"0.2.0": later, "0.1.0": {"metrics": {"changes": [{"rename_metrics": {"io": "no"}}]}}}}


def renamed(of: str = "", **names: str) -> dict[str, Any]:
    return {"rename_attributes": {"attribute_map": names} | ({"apply_to_metrics": [of]} if of else {})}


@pytest.mark.parametrize(
    ("changes", "metrics"),
    [
        ({}, {"job.eta": {"id", "kind"}, "io": {"id", "way"}}),
        ({"all": [renamed(id="job")]}, {"job.eta": {"job", "kind"}, "io": {"job", "way"}}),
        ({"metrics": [{"rename_metrics": {"job.eta": "eta"}}]}, {"eta": {"id", "kind"}, "io": {"id", "way"}}),
        ({"metrics": [renamed("io", id="job")]}, {"job.eta": {"id", "kind"}, "io": {"job", "way"}}),
        ({"spans": [renamed(id="job")]}, {"job.eta": {"id", "kind"}, "io": {"id", "way"}}),
        (
            {"metrics": [{"rename_metrics": {"io": "moved"}}, renamed("moved", id="job")]},
            {"job.eta": {"id", "kind"}, "moved": {"job", "way"}},
        ),
        (
            {"metrics": [renamed("a", id="b")], "all": [renamed(id="a"), renamed(a="b")]},
            {"job.eta": {"b", "kind"}, "io": {"b", "way"}},
        ),
        (
            {
                "metrics": [
                    {
                        "split": {
                            "apply_to_metric": "io",
                            "by_attribute": "way",
                            "metrics_from_attributes": {"in": "read", "out": "write"},
                        }
                    }
                ]
            },
            {"job.eta": {"id", "kind"}, "in": {"id"}, "out": {"id"}},
        ),
    ],
)
def test_changes_are_applied_as_the_format_says(changes: dict[str, Any], metrics: dict[str, set[str]]) -> None:
    found = converted(WAS, schema(**changes), "0.1.0")
    assert {name: set(metric.attributes) for name, metric in found.metrics.items()} == metrics
    assert converted(WAS, schema(**changes), "0.2.0") == WAS


def test_attributes_and_events_are_renamed() -> None:
    changes = schema(logs=[renamed(kind="sort")], span_events=[{"rename_events": {"name_map": {"begun": "started"}}}])
    found = converted(WAS, changes, "0.1.0")
    assert found.attributes == {"id": "string", "sort": "string", "way": "string"}
    assert found.events == {"started"}


def test_a_change_that_the_format_does_not_have_is_an_error() -> None:
    with pytest.raises(ValueError, match="metrics: drop is no change of format"):
        converted(WAS, schema(metrics=[{"drop": {}}]), "0.1.0")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("synapse.job.eta:", "synapse.job.left:", "metric synapse.job.eta: is gone"),
        ("synapse.job.eta: gauge s", "synapse.job.eta: gauge ms", "metric synapse.job.eta: was gauge s, is gauge ms"),
        ("synapse.job.eta: gauge", "synapse.job.eta: counter", "metric synapse.job.eta: was gauge s, is counter s"),
        (
            "synapse.job.eta: gauge s synapse.action ",
            "synapse.job.eta: gauge s ",
            "metric synapse.job.eta: lacks synapse.action",
        ),
        ("\nsynapse.step.order: int", "\nsynapse.step.place: int", "attribute synapse.step.order: is gone"),
        ("synapse.step.order: int", "synapse.step.order: string", "attribute synapse.step.order: was int, is string"),
        ("\nsynapse.job.started\n", "\nsynapse.job.begun\n", "event synapse.job.started: is gone"),
    ],
)
def test_a_name_that_changes_without_a_rule_is_found(old: str, new: str, said: str) -> None:
    text = EARLIER[0].read_text(encoding="utf-8")
    assert text.count(old) == 1
    assert missing(Names.of(text), Names.of(text.replace(old, new))) == [said]
