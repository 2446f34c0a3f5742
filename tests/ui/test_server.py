"""What the page's server answers, and to whom."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from unittest.mock import ANY
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from synapse_otel.journal.folder import run_folders, segment_path
from synapse_otel.journal.frames import Kind, encode, frame
from synapse_otel.runs import Recording
from synapse_otel.runs.live.index import RunIndex
from synapse_otel.runs.live.store import RunStore
from synapse_otel.ui.web.server import PAGES, application
from tests.runs.runs import TOKEN as CREDENTIAL

pytestmark = pytest.mark.once

TOKEN = "the-token"


def client_of(root: Path, *folders: Path, token: str | None = TOKEN, **settings: str) -> TestClient:
    store = RunStore(RunIndex([root], folders, stall_seconds=300), **settings)
    client = TestClient(application(store, TOKEN), base_url="http://127.0.0.1:4319", follow_redirects=False)
    if token:
        client.cookies.set("synapse-otel-view-4319", token)
    return client


@pytest.fixture
def client(shelf_root):
    return client_of(shelf_root)


def rows(client: TestClient) -> dict[str, dict]:
    return {row["plugin"] + row["result"]: row for row in client.get("/api/runs").json()}


def run_of(client: TestClient, plugin: str) -> str:
    return next(row["id"] for row in client.get("/api/runs").json() if row["plugin"] + row["result"] == plugin)


# --- who may look --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/app.js", "/api/runs", "/api/events?list=1", "/?token=wrong", "/?token="])
@pytest.mark.parametrize("cookie", [None, "wrong"])
def test_without_the_token_nothing_is_shown(shelf_root, path, cookie):
    answer = client_of(shelf_root, token=cookie).get(path)
    assert answer.status_code == 403
    assert "?token=" in answer.text
    assert TOKEN not in answer.text


def test_the_token_becomes_a_cookie_that_no_script_and_no_other_site_gets(shelf_root):
    client = client_of(shelf_root, token=None)
    answer = client.get(f"/?token={TOKEN}&run=a%20run")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?run=a+run")
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("synapse-otel-view-4319=")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.get("/").status_code == 200


def test_a_link_from_another_site_begins_anew_so_that_the_cookie_is_sent(shelf_root):
    answer = client_of(shelf_root, token=None).get(f"/?token={TOKEN}", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 200
    assert 'http-equiv="refresh"' in answer.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "0.0.0.0:4319", "", "[::2]:4319"])
def test_who_asks_by_another_name_gets_nothing(client, host):
    assert client.get("/api/runs", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:4319", "127.0.0.1", "[::1]:9999", "LOCALHOST"])
def test_this_machine_has_several_names_and_a_tunnel_another_port(client, host):
    assert client.get("/api/runs", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(client, method):
    assert client.request(method, "/api/runs").status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/../server.py",
        "/..%2fserver.py",
        "/made-from",
        "/static/app.js",
        "/api/runs/..%2f..%2fetc%2fpasswd",
        "/api/runs/%2e%2e/curves",
        "/api/runs/%00",
        "/api/nothing",
    ],
)
def test_no_path_leads_out(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert "root:" not in answer.text


@pytest.mark.parametrize("path", ["/", "/app.js", "/api/runs", "/nothing", "/api/runs/nothing"])
def test_every_answer_says_what_the_page_may_do(client, path):
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_the_page_names_no_other_address(client):
    for name in PAGES:
        text = client.get(f"/{name}").text
        assert text
        for found in ("https://", "http://"):
            named = {part.split('"')[0].split("'")[0].split("`")[0].split(" ")[0] for part in text.split(found)[1:]}
            assert {one for one in named if not one.startswith(("www.w3.org/", "github.com/leeoniya"))} == set(), name


# --- what is shown -------------------------------------------------------------------------------------


def test_the_page_travels_compressed_and_light(client):
    sent = 0
    for name in PAGES:
        with client.stream("GET", f"/{name}", headers={"accept-encoding": "gzip"}) as answer:
            sent += sum(len(part) for part in answer.iter_raw())
            assert answer.headers.get("content-encoding", "") == ("gzip" if name.startswith("app.") else ANY)
    assert 20_000 < sent < 90_000
    plain = client.get("/app.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == client.get("/app.js").content


def test_the_list_has_every_run_with_its_state(client):
    found = rows(client)
    assert found["yolosuccess"]["state"] == "done"
    assert found["yolofailure"]["error"] == "KeyError"
    assert found["cocoerror"]["state"] == "crashed"
    assert found["yolosuccess"]["progress"]["ratio"] == 1
    assert found["cocoerror"]["pending"] > 0


def test_a_failure_has_its_exception_its_rollbacks_and_the_reason(client):
    told = client.get(f"/api/runs/{run_of(client, 'yolofailure')}").json()
    assert told["reading"] == 1
    (exception,) = told["exceptions"]
    assert (exception["type"], exception["message"]) == ("KeyError", "'no room'")
    assert 'raise KeyError("no room")' in exception["stack"]
    spans = {span["name"]: span for span in told["spans"]}
    assert spans["export"]["failed"]
    assert spans["cached"]["skipped"]
    rollbacks = [span for span in told["spans"] if span["role"] == "rollback"]
    assert [span["name"] for span in rollbacks] == ["rollback export", "rollback train", "rollback load"]
    assert {link for span in rollbacks for link in span["links"]} == {spans["export"]["id"]}


def test_what_is_shown_is_what_a_recording_holds(client, shelf_root):
    name = run_of(client, "yolosuccess")
    told = client.get(f"/api/runs/{name}").json()
    recording = Recording.read(shelf_root / name)
    assert [span["name"] for span in told["spans"]] == [span.name for _depth, span in recording.walk()]
    assert told["logs"]["total"] == len(recording.logs)
    assert told["resource"]["service.name"] == "yolo"
    assert [one["category"] for one in told["progress"]] == [one.category for one in recording.progress]
    by_name = {one["name"]: one["id"] for one in told["series"]}
    asked = {"series": ",".join(map(str, by_name.values()))}
    curves = client.get(f"/api/runs/{name}/curves", params=asked).json()["curves"]
    for (_category, metric), series in recording.curves.items():
        assert curves[str(by_name[metric])]["v"] == series.values
    texts = [row["text"] for row in client.get(f"/api/runs/{name}/records").json()["rows"]]
    assert texts == ["" if entry.body is None else entry.body for entry in recording.logs]


def test_curves_are_drawn_over_a_metric_of_the_same_call(sweep_root):
    client = client_of(sweep_root)
    name = client.get("/api/runs").json()[0]["id"]
    series = client.get(f"/api/runs/{name}").json()["series"]
    along = {(one["category"][:10], one["name"]): one["along"] for one in series}
    assert along == {
        ("train", "step"): [],
        ("train", "loss"): ["step"],
        ("train", "accuracy"): ["step"],
        ("validation", "epoch"): [],
        ("validation", "loss"): ["epoch"],
    }
    by_name = {(one["category"][:10], one["name"]): str(one["id"]) for one in series}
    asked = {"series": ",".join(by_name.values()), "along": "step"}
    curves = client.get(f"/api/runs/{name}/curves", params=asked).json()["curves"]
    assert set(curves) == {number for (category, _name), number in by_name.items() if category == "train"}
    loss = curves[by_name["train", "loss"]]
    assert loss["x"] == [1000 + 5 * step for step in range(60)]
    assert max(loss["v"]) == 500
    asked |= {"begin": "1100", "end": "1200", "cut": "5"}
    part = client.get(f"/api/runs/{name}/curves", params=asked).json()["curves"][by_name["train", "loss"]]
    assert (part["x"][0], part["x"][-1]) == (1095, 1205)
    assert max(part["v"]) > part["usual"][1] > part["usual"][0] > min(part["v"])


def test_a_trace_is_linked_where_jaeger_is(shelf_root):
    client = client_of(shelf_root, jaeger_url="http://jaeger:16686")
    told = client.get(f"/api/runs/{run_of(client, 'yolosuccess')}").json()
    assert told["jaeger"] == "http://jaeger:16686"
    assert len(told["jobs"][0]["trace"]) == 32


@pytest.mark.parametrize(
    ("asked", "texts"),
    [
        ({"level": "error"}, ["KeyError: 'no room'", "job ended: failure"]),
        ({"audience": "developer"}, ["weights", "7 images"]),
        ({"q": "SLOW disk"}, ["slow disk"]),
        ({"q": "epoch=5"}, ["checkpoint"]),
        ({"category": "export"}, ["KeyError: 'no room'"]),
        ({"q": "nothing like it"}, []),
        ({"q": "job-4712"}, []),  # the job's id is on every record, and on no line
        ({"q": "synapse.message"}, []),
        ({"q": "test_server no room"}, []),
        ({"q": "runs.py no room"}, ["KeyError: 'no room'"]),  # in the stack of the exception
        ({"audience": "user", "level": "warning", "q": "disk"}, ["slow disk"]),
    ],
)
def test_records_are_filtered_by_level_audience_category_and_text(client, asked, texts):
    found = client.get(f"/api/runs/{run_of(client, 'yolofailure')}/records", params=asked).json()
    assert found["matching"] == len(texts)
    shown = [row["text"] or row["event"] for row in found["rows"]]
    assert all(text in one for text, one in zip(texts, shown, strict=True)), shown


def test_credentials_are_neither_shown_nor_found(client):
    name = run_of(client, "yolosuccess")
    assert CREDENTIAL not in client.get(f"/api/runs/{name}").text
    answer = client.get(f"/api/runs/{name}/records")
    assert CREDENTIAL not in answer.text
    assert "[redacted]" in answer.text
    assert client.get(f"/api/runs/{name}/records", params={"q": CREDENTIAL}).json()["matching"] == 0
    other = next(row["id"] for row in client.get("/api/runs").json() if row["plugin"].startswith("evil"))
    answer = client.get(f"/api/runs/{other}/records", params={"q": "password"})
    assert answer.json()["matching"] == 1
    assert "hunter2" not in answer.text
    assert client.get(f"/api/runs/{other}/records", params={"q": "hunter2"}).json()["matching"] == 0


@pytest.mark.parametrize(
    "asked",
    [
        "curves?series=x",
        "curves?series=0&points=x",
        "curves?series=0&begin=nan",
        "curves?series=0&begin=1e13",
        "curves?series=0&along=x&end=inf",
        "curves?series=0&cut=x",
        "records?offset=x",
    ],
)
def test_what_makes_no_sense_is_refused(client, asked):
    assert client.get(f"/api/runs/{run_of(client, 'yolosuccess')}/{asked}").status_code == 400


@pytest.mark.parametrize(
    "asked",
    [
        "curves?series=-1,99999999",
        "curves?series=0&along=nothing",
        "records?offset=999999",
        "records?limit=-4",
        "records?level=what",
    ],
)
def test_what_is_not_there_is_no_error(client, asked):
    assert client.get(f"/api/runs/{run_of(client, 'yolosuccess')}/{asked}").status_code == 200


# --- bad input -----------------------------------------------------------------------------------------


def test_a_damaged_journal_says_so_and_shows_the_rest(root):
    client = client_of(root)
    name = run_of(client, "yolosuccess")
    path = segment_path(root / name, 1)
    data = bytearray(path.read_bytes())
    data[data.index(b"slow disk")] ^= 0xFF
    path.write_bytes(data)
    told = client_of(root).get(f"/api/runs/{name}").json()
    assert any("damaged" in note for note in told["notes"])
    assert told["logs"]["total"] == 5
    assert len(told["spans"]) == 6


def test_what_cannot_be_read_stands_in_the_list_beside_the_others(root):
    before = len(client_of(root).get("/api/runs").json())
    broken = root / "20260101T000000Z-broken-00000000"
    broken.mkdir()
    (broken / "run.json").write_text("{ no json")
    segment_path(broken, 1).write_bytes(b"nothing that we wrote" * 1000)
    client = client_of(root)
    found = client.get("/api/runs").json()
    assert len(found) == before + 1
    assert [row["state"] for row in found if row["id"] == broken.name] == ["unreadable"]
    assert [row["start"] for row in found if row["id"] == broken.name] == [1_767_225_600_000]  # as its name says
    told = client.get(f"/api/runs/{broken.name}").json()
    assert told["notes"]
    assert told["spans"] == []


def test_a_name_that_is_no_text_hides_no_other_run(root):
    name = run_of(client_of(root), "yolosuccess")
    os.rename(os.fsencode(root / name), os.fsencode(root) + b"/20260101T000000Z-\xff\xfe-00000000")
    client = client_of(root)
    odd = run_of(client, "yolosuccess")
    assert "\\udcff" in odd
    assert len(client.get("/api/runs").json()) == 4
    assert client.get(f"/api/runs/{quote(odd, safe='')}").json()["logs"]["total"] == 6


def test_frames_of_ours_with_numbers_that_nothing_can_hold_are_counted(root):
    name = run_of(client_of(root), "yolosuccess")
    path = segment_path(root / name, 99)
    odd = [
        frame(Kind.LOG, encode([(1 << 64) - 1, 9, None, None, "x", {}, b"", 0]), 1, 6),
        frame(Kind.LOG, encode([1, 1 << 40, None, None, "x", {}, b"", 0]), 1, 7),
        frame(Kind.SAMPLES, encode([(1 << 64) - 1, [1.0, 2.0]]), 1, 99),
        frame(Kind.SPAN, encode([b"", b"", b"", 0, "", "odd", 1, 1 << 63, 1 << 63, {}, 0]), 1, 99),
    ]
    path.write_bytes(b"".join(odd))
    told = client_of(root).get(f"/api/runs/{name}").json()
    assert told["logs"]["total"] == 6
    assert any("could not be read" in note for note in told["notes"])


def test_a_newer_version_is_told(root):
    name = run_of(client_of(root), "yolosuccess")
    path = root / name / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 99}))
    row = next(row for row in client_of(root).get("/api/runs").json() if row["id"] == name)
    assert "format 99" in row["notes"][0]


def test_a_folder_of_something_else_is_no_run(root):
    (root / "photos").mkdir()
    (root / "photos" / "holiday.jpg").write_bytes(b"\xff\xd8")
    assert len(client_of(root).get("/api/runs").json()) == len(list(run_folders(root)))


def test_a_run_that_comes_and_one_that_goes_are_noticed(root, monkeypatch):
    monkeypatch.setattr("synapse_otel.runs.live.index.LOOK_SECONDS", 0.0)
    client = client_of(root)
    name = run_of(client, "yolosuccess")
    kept = shutil.move(root / name, root.parent / "kept")
    assert client.get(f"/api/runs/{name}").status_code == 404
    assert name not in {row["id"] for row in client.get("/api/runs").json()}
    shutil.move(kept, root / name)
    assert client.get(f"/api/runs/{name}").status_code == 200


def test_several_journals_of_a_run_are_one_in_the_order_of_time(root):
    name = run_of(client_of(root), "yolosuccess")
    other = root / "20990101T000000Z-child-00000001"
    shutil.copytree(root / name, other)
    first = json.loads((root / name / "run.json").read_text())
    (other / "run.json").write_text(json.dumps({**first, "journal": "b" * 32, "parent": first["journal"]}))
    client = client_of(root)
    assert other.name not in {row["id"] for row in client.get("/api/runs").json()}
    found = client.get(f"/api/runs/{name}/records").json()
    assert client.get(f"/api/runs/{name}").json()["logs"]["total"] == 12
    found = client.get(f"/api/runs/{name}/records").json()
    times = [row["time"] for row in found["rows"]]
    assert len(times) == 12
    assert times == sorted(times)
