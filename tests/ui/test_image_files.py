"""The images that records name, as the page's server reads them: those alone, by content, and never more than that."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from synapse_otel._text import iso_time
from synapse_otel.export.otlp_json import write_otlp_file
from synapse_otel.journal.folder import run_folders
from synapse_otel.runs.image_files import LARGEST_FILE, ImageError, NamedFile, Reason, open_image
from synapse_otel.runs.image_heads import image_head
from synapse_otel.runs.otlp_file.reader import read_otlp_file
from tests.runs.runs import command, environment
from tests.ui.conftest import JOBS, record
from tests.ui.pictures import GIF, JPEG, SVG, WEBP_EXTENDED, WEBP_LOSSLESS, WEBP_LOSSY, bomb, png
from tests.ui.test_export import data_of
from tests.ui.test_server import client_of

pytestmark = pytest.mark.once

PICTURE = png(12, 7, (20, 120, 220))
OTHER = png(12, 7, (220, 120, 20))
TYPES = {
    "png": (PICTURE, "image/png", 12, 7),
    "jpeg": (JPEG, "image/jpeg", 1, 1),
    "gif": (GIF, "image/gif", 1, 1),
    "lossy": (WEBP_LOSSY, "image/webp", 1, 1),
    "lossless": (WEBP_LOSSLESS, "image/webp", 1, 1),
    "extended": (WEBP_EXTENDED, "image/webp", 640, 480),
}


class Logged:
    """A run that has logged files, each by an event of its own, and what the server says of them."""

    def __init__(self, root: Path, paths: dict[str, str | Path], **where: Any) -> None:
        listed = json.dumps({name: str(path) for name, path in paths.items()})
        subprocess.run([sys.executable, JOBS, "named", listed], env=environment(root), check=True, timeout=60, **where)
        self.root = root
        self.client = client_of(root)
        (self.run,) = [row["id"] for row in self.client.get("/api/runs").json()]
        rows = self.client.get(f"/api/runs/{self.run}/records").json()["rows"]
        self.records = {row["event"]: row for row in rows}

    def get(self, name: str, client: TestClient | None = None, **asked: str) -> Any:
        """Return the answer for the file of an event."""
        row = self.records[name]
        given = {"time": repr(row["time"]), **asked}
        return (client or self.client).get(f"/api/runs/{self.run}/images/{row['n']}", params=given)

    def info(self, name: str) -> dict[str, Any]:
        """Return what is known of the image of an event."""
        row = self.records[name]
        asked = {"record": f"{row['n']}@{row['time']!r}"}
        return self.client.get(f"/api/runs/{self.run}/images/info", params=asked).json()[str(row["n"])]


def written(path: Path, data: bytes = PICTURE) -> Path:
    path.write_bytes(data)
    return path


@pytest.fixture
def logged(tmp_path) -> Callable[..., Logged]:
    return lambda paths, **where: Logged(tmp_path / "runs", paths, **where)


# --- what is shown -------------------------------------------------------------------------------------


def test_an_image_is_known_by_its_content_and_can_do_nothing(tmp_path, logged):
    run = logged({name: written(tmp_path / f"{name}.dat", data) for name, (data, *_) in TYPES.items()})
    for name, (data, kind, width, height) in TYPES.items():
        assert run.info(name) == {"type": kind, "width": width, "height": height, "size": len(data)}
        answer = run.get(name)
        assert (answer.status_code, answer.content) == (200, data)
        assert answer.headers["content-type"] == kind
        assert answer.headers["content-length"] == str(len(data))
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", TYPES)
def test_a_head_that_is_cut_off_or_damaged_is_no_image(name):
    data = TYPES[name][0]
    assert image_head(BytesIO(data)) == TYPES[name][1:]
    for length in range(len(data)):
        assert image_head(BytesIO(data[:length])) in {None, TYPES[name][1:]}
    for place in range(min(len(data), 64)):
        changed = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
        found = image_head(BytesIO(changed))
        assert found is None or (found.width > 0 and found.height > 0)


def test_a_gif_is_as_large_as_its_first_frame():
    frame = GIF.replace(b",\0\0\0\0\1\0\1\0", b",\0\0\0\0\xff\xff\xff\xff")
    assert image_head(BytesIO(frame))[1:] == (65_535, 65_535)


def test_a_relative_path_is_that_of_the_working_directory_of_its_call(tmp_path, logged):
    for folder in ("plots", "notebooks"):
        (tmp_path / folder).mkdir()
    written(tmp_path / "plots" / "a.png")
    run = logged({"beside": "../plots/a.png", "gone": "a.png"}, cwd=tmp_path / "notebooks")
    assert run.get("beside").content == PICTURE
    assert run.get("gone").json()["reason"] == "gone"


def test_names_are_taken_as_they_are_written(tmp_path, logged):
    odd = {
        "percent": written(tmp_path / "50%2e%2e%2f.png"),
        "not utf-8": written(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9\xff.png")), OTHER),
        "credential": written(tmp_path / "token=ghp_abcdefghijklmnopqrstuvwxyz0123456789.png"),
        "decoded": tmp_path / "a%20b.png",
    }
    written(tmp_path / "a b.png")
    run = logged(odd)
    assert run.get("percent").content == PICTURE
    assert run.get("not utf-8").content == OTHER
    assert run.get("credential").content == PICTURE
    assert run.get("decoded").status_code == 404
    told = run.client.get(f"/api/runs/{run.run}/images").text
    assert "ghp_" not in told
    assert json.loads(told)["total"] == 4


def test_two_records_may_name_one_file(tmp_path, logged):
    path = written(tmp_path / "a.png")
    run = logged({"first": path, "second": path})
    assert run.get("first").content == run.get("second").content == PICTURE
    assert command(run.root, "export", "-o", str(tmp_path / "run.html")).returncode == 0
    held = data_of((tmp_path / "run.html").read_text())["images"]
    assert len(held["infos"]) == 2
    assert len(held["urls"]) == 1


def test_images_are_listed_in_parts(tmp_path):
    record(tmp_path / "runs", "pictures", str(tmp_path / "pictures"), "3")
    client = client_of(tmp_path / "runs")
    (row,) = client.get("/api/runs").json()
    address = f"/api/runs/{row['id']}/images"
    whole = client.get(address).json()
    assert (whole["total"], whole["offset"], len(whole["rows"])) == (27, 0, 27)
    first, curve = whole["rows"][0], whole["rows"][6]
    assert (first["category"], first["group"], first["index"], first["name"]) == (
        "validation",
        "epoch_0",
        "0",
        "0-0.png",
    )
    assert first["data"] == {"label": "class 0", "score": 0.7}
    assert (curve["category"], curve["group"], curve["index"], curve["data"]) == ("train", "curve", "", {"epoch": 0})
    part = client.get(address, params={"offset": -4, "limit": 2}).json()
    assert (part["offset"], part["rows"]) == (23, whole["rows"][23:25])
    assert client.get(address, params={"offset": 99}).json()["rows"] == []
    assert client.get(address, params={"offset": "x"}).status_code == 400


def test_images_and_texts_of_several_processes_are_in_the_order_of_time(tmp_path):
    record(tmp_path / "runs", "pictures", str(tmp_path / "pictures"), "3")
    (folder,) = run_folders(tmp_path / "runs")
    other = folder.with_name("20990101T000000Z-child-00000001")
    shutil.copytree(folder, other)
    first = json.loads((folder / "run.json").read_text())
    (other / "run.json").write_text(json.dumps({**first, "journal": "b" * 32, "parent": first["journal"]}))
    client = client_of(tmp_path / "runs")
    told = client.get(f"/api/runs/{folder.name}").json()
    assert (told["reading"], told["logs"]["images"], told["metric_texts"][0]["count"]) == (1, 54, 6)
    rows = client.get(f"/api/runs/{folder.name}/images").json()["rows"]
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    asked = [("record", f"{row['n']}@{row['time']!r}") for row in rows]
    infos = client.get(f"/api/runs/{folder.name}/images/info", params=asked).json()
    assert [info.get("reason") for info in infos.values()].count(None) == 44
    for row in rows[::7]:
        if "error" not in infos[str(row["n"])]:
            answer = client.get(f"/api/runs/{folder.name}/images/{row['n']}", params={"time": repr(row["time"])})
            assert answer.content == (tmp_path / "pictures" / row["name"]).read_bytes()


# --- what is not shown ---------------------------------------------------------------------------------


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def socket_at(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
    return path


def linked(path: Path) -> Path:
    path.symlink_to(written(path.with_name("target.png")))
    return path


def huge(path: Path) -> Path:
    with path.open("wb") as file:
        file.write(PICTURE)
        file.truncate(LARGEST_FILE + 1)
    return path


REFUSED: dict[str, tuple[Callable[[Path], Any], int, str, str]] = {
    "text": (lambda path: written(path, b"GIF89 is what this is not"), 415, "no image", "as its content says"),
    "html": (lambda path: written(path, b"<!doctype html><script>1</script>"), 415, "no image", "as its content says"),
    "svg": (lambda path: written(path, SVG), 415, "no image", "it can run script"),
    "empty": (lambda path: written(path, b""), 415, "no image", "as its content says"),
    "bomb": (lambda path: written(path, bomb(60_000, 60_000)), 413, "too large", "60,000 by 60,000 pixels"),
    "huge": (huge, 413, "too large", "the limit is 32 MiB"),
    "gone": (lambda path: path, 404, "gone", "not on this machine any more"),
    "below a file": (lambda path: written(path) / "a.png", 404, "gone", "not on this machine any more"),
    "long": (lambda path: path.with_name("x" * 300 + ".png"), 404, "gone", "File name too long"),
    "zero byte": (lambda path: f"{path}\0.png", 404, "gone", "zero byte"),
    "folder": (lambda path: path.mkdir() or path, 404, "no file", "not that of a regular file"),
    "pipe": (pipe, 404, "no file", "not that of a regular file"),
    "socket": (socket_at, 404, "no file", "not that of a regular file"),
    "device": (lambda _path: "/dev/zero", 404, "no file", "not that of a regular file"),
    "link": (linked, 404, "link", "not followed"),
    "made of numbers": (lambda _path: "/proc/self/status", 415, "no image", "as its content says"),
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory) -> Logged:
    place = tmp_path_factory.mktemp("refused")
    made = {name: make(place / f"{at}.png") for at, (name, (make, *_)) in enumerate(REFUSED.items())}
    return Logged(place / "runs", made)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_image_of_a_size_to_be_shown_says_why(refused, name):
    if name == "made of numbers" and not Path("/proc/self/status").exists():
        pytest.skip("no /proc here")
    _make, status, reason, text = REFUSED[name]
    answer = refused.get(name)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["reason"] == reason
    assert text in answer.json()["error"]
    assert refused.info(name) == answer.json()


def test_what_may_not_be_read_says_so():
    with tempfile.TemporaryDirectory() as place:
        path = written(Path(place) / "a.png")
        path.chmod(0)
        Path(place).chmod(0o755)
        before = os.geteuid()
        if before == 0:
            os.seteuid(65_534)
        try:
            with pytest.raises(ImageError, match="may not be read") as raised:
                open_image(NamedFile(str(path), "", len(PICTURE), "", 1 << 62))
        finally:
            os.seteuid(before)
        assert raised.value.reason is Reason.DENIED


@pytest.mark.parametrize("directory", ["", "also/relative"])
def test_a_relative_path_of_an_older_record_is_not_guessed(tmp_path, monkeypatch, directory):
    (tmp_path / directory).mkdir(parents=True, exist_ok=True)
    written(tmp_path / directory / "a.png")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ImageError, match="the path is relative"):
        open_image(NamedFile("a.png", directory, len(PICTURE), "", 1 << 62))


def test_a_file_that_was_replaced_is_shown_only_when_that_is_asked_for(tmp_path, logged):
    assert len(PICTURE) == len(OTHER)
    path, later = written(tmp_path / "a.png"), tmp_path / "later.png"
    run = logged({"before": path, "later": later})
    path.with_suffix(".new").write_bytes(OTHER)
    path.with_suffix(".new").rename(path)
    written(later)
    for name, data, text in (("before", OTHER, "has changed since"), ("later", PICTURE, "was not there yet")):
        answer = run.get(name)
        assert (answer.status_code, answer.json()["reason"]) == (409, "changed")
        assert text in answer.json()["error"]
        assert run.info(name) == {**answer.json(), "type": "image/png", "width": 12, "height": 7, "size": len(data)}
        assert run.get(name, changed="1").content == data


def test_an_older_record_tells_by_size_and_time_whether_its_file_has_changed(tmp_path):
    path = written(tmp_path / "a.png")
    time = path.stat().st_mtime_ns
    old = NamedFile(str(path), "", len(PICTURE), "", time)
    with open_image(old).file as file:
        assert file.read() == PICTURE
    new = old._replace(modified=iso_time(time), time=0)
    open_image(new).file.close()
    for changed in (old._replace(time=time - 1), old._replace(size=1), new._replace(modified="2026-01-01T00:00:00Z")):
        with pytest.raises(ImageError, match="has changed"):
            open_image(changed)


# --- who gets it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "wrong"])
def test_without_the_token_no_image_is_shown(tmp_path, logged, token):
    run = logged({"image": written(tmp_path / "a.png")})
    answer = run.get("image", client_of(run.root, token=token))
    assert answer.status_code == 403
    assert b"PNG" not in answer.content
    assert run.get("image", client_of(run.root)).status_code == 200


def test_nothing_is_an_address_but_a_run_and_a_record_of_it(tmp_path, logged):
    path = written(tmp_path / "a.png")
    run = logged({"image": path})
    row = run.records["image"]
    base, time = f"/api/runs/{run.run}/images", f"time={row['time']!r}"
    refused = [
        (f"{base}/0?{time}", 404),
        (f"{base}/{row['n']}?time=0", 404),
        (f"{base}/{row['n']}", 400),
        (f"{base}/{row['n']}?time=nan", 400),
        (f"{base}/-1?{time}", 404),
        (f"{base}/9999?{time}", 404),
        (f"{base}/{'9' * 5000}?{time}", 400),
        (f"{base}/a.png?{time}", 400),
        (f"{base}/..%2f..%2fa.png?{time}", 404),
        (f"{base}/{path}?{time}", 404),
        (f"/api/runs/another/images/{row['n']}?{time}", 404),
        (f"{base}/info?record=x@1", 400),
        (f"{base}/info?record=1", 400),
    ]
    assert [(asked, run.client.get(asked).status_code) for asked, _status in refused] == refused
    assert run.client.get(f"{base}/info?record=9999@1").json() == {}
    started = run.client.get(f"/api/runs/{run.run}/records").json()["rows"][0]
    answer = run.client.get(f"{base}/{started['n']}?time={started['time']!r}")
    assert (answer.status_code, answer.json()["error"]) == (404, "this record names no file")


def test_a_run_that_is_read_from_a_file_names_nothing_of_this_machine(tmp_path, logged):
    run = logged({"image": written(tmp_path / "a.png")})
    write_otlp_file(list(run_folders(run.root)), tmp_path / "run.json")
    with read_otlp_file(tmp_path / "run.json") as place:
        client = client_of(place)
        (row,) = client.get("/api/runs").json()
        (image,) = client.get(f"/api/runs/{row['id']}/images").json()["rows"]
        answer = client.get(f"/api/runs/{row['id']}/images/{image['n']}", params={"time": repr(image["time"])})
    assert (answer.status_code, answer.json()["reason"]) == (404, "elsewhere")


# --- inside of the page's file -------------------------------------------------------------------------


def export(root: Path, target: Path, *arguments: str) -> dict[str, Any]:
    ended = command(root, "export", "-o", str(target), *arguments)
    assert ended.returncode == 0, ended.stderr
    return data_of(target.read_text())


def test_the_pages_file_holds_images_up_to_a_limit_that_it_states(tmp_path, logged):
    noise = {f"large {at}": written(tmp_path / f"{at}.png", PICTURE + os.urandom(600_000)) for at in range(3)}
    run = logged({**noise, "small": written(tmp_path / "small.png"), "gone": tmp_path / "gone.png"})
    target = tmp_path / "run.html"
    held = export(run.root, target, "--images", "1")
    (note,) = [note for note in held["details"]["notes"] if "images" in note]
    assert note == "2 of 5 images are in this file; the limit is 1 MiB; 1 cannot be shown: gone, changed, or no image"
    reasons = {
        name: held["images"]["infos"][str(run.records[name]["n"])].get("reason")
        for name in run.records
        if name in {*noise, "small", "gone"}
    }
    assert reasons == {"large 0": "left out", "large 1": "left out", "large 2": None, "small": None, "gone": "gone"}
    assert target.stat().st_size < 1_300_000
    held = export(run.root, target)
    assert [note for note in held["details"]["notes"] if "images" in note] == [
        "4 of 5 images are in this file; 1 cannot be shown: gone, changed, or no image"
    ]
    assert export(run.root, target, "--images", "0")["images"]["urls"] == {}
    assert "data:image/png" not in target.read_text()


def test_a_page_without_images_says_nothing_of_them(shelf_root, tmp_path):
    ended = command(shelf_root, "export", "coco", "-o", str(tmp_path / "run.html"))
    assert ended.returncode == 0, ended.stderr
    text = (tmp_path / "run.html").read_text()
    assert not any("images" in note for note in data_of(text)["details"]["notes"])
    assert re.search(r"img-src data:; ", text)


# --- metrics that are texts ----------------------------------------------------------------------------


def test_a_text_metric_is_its_latest_text_and_every_record_of_it_is_kept(tmp_path):
    record(tmp_path / "runs", "pictures", str(tmp_path / "pictures"), "5")
    client = client_of(tmp_path / "runs")
    (row,) = client.get("/api/runs").json()
    told = client.get(f"/api/runs/{row['id']}").json()
    (text,) = told["metric_texts"]
    assert {key: text[key] for key in ("category", "name", "value", "count")} == {
        "category": "train", "name": "phase", "value": "fine", "count": 5,
    }  # fmt: skip
    assert told["logs"]["metric_texts"] == 5
    address = f"/api/runs/{row['id']}/records"
    whole = client.get(address).json()
    folded = client.get(address, params={"metric_texts": "0"}).json()
    assert whole["matching"] == told["logs"]["total"] == folded["matching"] + 5
    texts = [one for one in whole["rows"] if one["event"] == "synapse.metric.text"]
    assert [one["data"]["phase"] for one in texts] == ["warm-up"] * 3 + ["fine"] * 2
    assert text["n"] == texts[-1]["n"]
    assert [one for one in whole["rows"] if one not in texts] == folded["rows"]


def test_text_metrics_do_not_crowd_the_messages_out_of_the_pages_file(tmp_path):
    from synapse_otel.export import html
    from synapse_otel.runs.live.followed_run import FollowedRun

    record(tmp_path / "runs", "phases", "3500")
    found = FollowedRun(list(run_folders(tmp_path / "runs")))
    assert found.refresh()
    chosen = html._records(found.logs)
    found.close()
    assert len(chosen) == html.RECORDS
    assert chosen == sorted(chosen)
    others = set(range(len(found.logs))) - set(found.logs.metric_texts)
    assert others <= set(chosen)
    assert max(found.logs.metric_texts) in chosen
