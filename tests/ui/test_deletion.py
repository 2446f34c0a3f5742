"""Runs are deleted by the page alone: by a request that carries the token, and that no other page can forge."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from synapse_otel.journal.files.locks import FileLock
from synapse_otel.journal.folder import SHIP_LOCK, run_folders
from tests.ui.conftest import only, tell
from tests.ui.test_server import client_of, run_of

pytestmark = pytest.mark.once

OWN = {"origin": "http://127.0.0.1:4319", "host": "127.0.0.1:4319", "sec-fetch-site": "same-origin"}


def ids(client: TestClient) -> set[str]:
    return {row["id"] for row in client.get("/api/runs").json()}


def test_a_run_is_deleted_with_its_folder_and_whoever_has_it_open_is_told(root: Path) -> None:
    client = client_of(root)
    name = run_of(client, "yolosuccess")
    assert client.get(f"/api/runs/{name}").status_code == 200
    assert client.delete(f"/api/runs/{name}", headers=OWN).status_code == 200
    assert not (root / name).exists()
    assert len(list(run_folders(root))) == 3
    assert name not in ids(client)
    answer = client.get(f"/api/runs/{name}")
    assert (answer.status_code, answer.json()) == (404, {"error": "there is no such run"})
    assert client.delete(f"/api/runs/{name}", headers=OWN).status_code == 404


@pytest.mark.parametrize(
    "forged",
    [
        {"origin": "http://127.0.0.1:8888"},
        {"origin": "http://localhost:4319"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_no_other_page_can_delete_a_run(root: Path, forged: dict[str, str]) -> None:
    client = client_of(root)
    name = run_of(client, "yolosuccess")
    assert client.delete(f"/api/runs/{name}", headers={**OWN, **forged}).status_code == 403
    assert (root / name).exists()


@pytest.mark.parametrize("token", [None, "wrong"])
def test_without_the_token_nothing_is_deleted(root: Path, token: str | None) -> None:
    name = run_of(client_of(root), "yolosuccess")
    assert client_of(root, token=token).delete(f"/api/runs/{name}", headers=OWN).status_code == 403
    assert (root / name).exists()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_run_is_not_changed_otherwise(root: Path, method: str) -> None:
    client = client_of(root)
    assert client.request(method, f"/api/runs/{run_of(client, 'yolosuccess')}", headers=OWN).status_code == 405


def test_only_a_run_can_be_deleted(root: Path) -> None:
    client = client_of(root)
    for path in ("/api/runs/..%2f..", "/api/runs/nothing", "/api/runs/%00"):
        assert client.delete(path, headers=OWN).status_code == 404
    assert len(list(run_folders(root))) == 4


def test_a_run_that_runs_stays(steered) -> None:
    tell(steered, "progress 10")
    client = client_of(steered.root)
    answer = client.delete(f"/api/runs/{only(steered.root).name}", headers=OWN)
    assert (answer.status_code, answer.json()) == (409, {"error": "it is running"})
    assert only(steered.root).exists()


def test_a_run_that_a_shipper_delivers_stays(root: Path) -> None:
    client = client_of(root)
    name = run_of(client, "yolosuccess")
    lock = FileLock(root / name / SHIP_LOCK)
    assert lock.acquire()
    answer = client.delete(f"/api/runs/{name}", headers=OWN)
    lock.release()
    assert answer.status_code == 409
    assert "a shipper" in answer.json()["error"]
    assert (root / name).exists()


def test_a_copy_from_elsewhere_stays(root: Path, tmp_path: Path) -> None:
    name = run_of(client_of(root), "yolosuccess")
    client = client_of(tmp_path / "empty", root / name)
    answer = client.delete(f"/api/runs/{name}", headers=OWN)
    assert answer.status_code == 409
    assert "a copy" in answer.json()["error"]
    assert (root / name).exists()
