"""The list as a Parquet file: made by the server of what the page sends, and for nobody else."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from starlette.testclient import TestClient

from synapse_otel.export.parquet import parquet_table
from synapse_otel.runs.live.index import RunIndex
from synapse_otel.runs.live.store import RunStore
from synapse_otel.ui.web import table_file
from synapse_otel.ui.web.server import application

pytestmark = pytest.mark.once

PATH = "/api/table.parquet"
OWN = {"origin": "http://127.0.0.1:4319", "host": "127.0.0.1:4319", "sec-fetch-site": "same-origin"}


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    store = RunStore(RunIndex([tmp_path], stall_seconds=300))
    found = TestClient(application(store, "the-token", write_table=parquet_table), base_url="http://127.0.0.1:4319")
    found.cookies.set("synapse-otel-view-4319", "the-token")
    return found


def column(name: str, kind: str, *values: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, "values": list(values)}


def test_values_have_the_types_of_their_columns(client: TestClient) -> None:
    sent = [
        column("start", "time", 1_800_000_000_000.25, None),
        column("loss", "number", 1, 0.5),
        column("pending", "long", 3, None),
        column("name", "text", "a", "=b"),
        column("whole", "any", 1, 2),
        column("mixed", "any", 1, 0.5),
        column("flag", "any", True, None),
        column("texts", "any", "sgd", 1),
        column("none", "any", None, None),
    ]
    answer = client.post(PATH, json=sent, headers=OWN)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    table = parquet.read_table(io.BytesIO(answer.content))
    assert {field.name: str(field.type) for field in table.schema} == {
        "start": "timestamp[ns, tz=UTC]",
        "loss": "double",
        "pending": "int64",
        "name": "string",
        "whole": "int64",
        "mixed": "double",
        "flag": "bool",
        "texts": "string",
        "none": "string",
    }
    assert table["start"].cast("int64").to_pylist() == [1_800_000_000_000_250_000, None]
    assert table["loss"].to_pylist() == [1.0, 0.5]
    assert table["name"].to_pylist() == ["a", "=b"]
    assert table["texts"].to_pylist() == ["sgd", "1"]


@pytest.mark.parametrize(
    "sent",
    [
        "nothing",
        {"name": "a"},
        [column("a", "year", 1)],
        [column("a", "number", "text")],
        [column("a", "long", 1.5)],
        [column("a", "time", 1e300)],
        [column("a", "long", 1), column("b", "long", 1, 2)],
    ],
)
def test_what_is_no_table_is_refused(client: TestClient, sent: Any) -> None:
    answer = client.post(PATH, json=sent, headers=OWN)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("this is no table: ")


def test_a_table_that_is_too_large_is_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_file, "LARGEST", 1000)
    answer = client.post(PATH, content=json.dumps([column("a", "long", *range(1000))]), headers=OWN)
    assert (answer.status_code, answer.json()) == (413, {"error": "the table is too large"})


@pytest.mark.parametrize(
    "forged", [{"origin": "http://127.0.0.1:8888"}, {"origin": ""}, {"sec-fetch-site": "same-site"}]
)
def test_only_the_page_itself_can_ask_for_it(client: TestClient, forged: dict[str, str]) -> None:
    assert client.post(PATH, json=[], headers={**OWN, **forged}).status_code == 403
    client.cookies.clear()
    assert client.post(PATH, json=[], headers=OWN).status_code == 403


def test_nothing_else_can_be_posted(client: TestClient) -> None:
    assert client.post("/api/runs", json=[], headers=OWN).status_code == 405
    assert client.put(PATH, json=[], headers=OWN).status_code == 405
