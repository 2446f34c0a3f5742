"""``synapse-otel view`` as a command: what it is told, and what it cannot do."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from synapse_otel.journal.folder import run_folders
from tests.runs.runs import REPOSITORY, command, environment

pytestmark = pytest.mark.once


def names(address: str) -> set[str]:
    """Return the ids of the runs of a page."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    opener.open(address, timeout=20).read()
    base = address.split("?", maxsplit=1)[0]
    return {row["id"] for row in json.loads(opener.open(f"{base}api/runs", timeout=20).read())}


def test_it_listens_on_this_machine_alone_and_prints_the_address(address):
    assert address.startswith("http://127.0.0.1:")
    assert len(address.split("token=")[1]) >= 32
    assert len(names(address)) == 4
    port = int(address.split(":")[2].split("/")[0])
    other = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for host in other:
        with socket.socket() as tried:
            assert tried.connect_ex((host, port)) != 0


def test_a_folder_that_came_from_another_machine_is_shown(served, shelf_root, tmp_path):
    folder = next(run_folders(shelf_root))
    Path(tmp_path / "from-elsewhere").mkdir()
    copied = shutil.copytree(folder, tmp_path / "from-elsewhere" / folder.name)
    address = served(tmp_path / "empty", str(copied))
    assert address.endswith(f"&run={folder.name}")
    assert names(address) == {folder.name}
    assert names(served(tmp_path / "empty", str(copied.parent))) == {folder.name}


def test_a_run_is_named_as_in_every_other_command(served, shelf_root):
    address = served(shelf_root, "coco")
    assert "coco" in address.split("&run=")[1]
    assert len(names(address)) == 4


def test_it_ends_by_itself_when_no_page_has_been_open_for_long(served, shelf_root):
    address = served(shelf_root, "--idle", "1")
    (process,) = served.processes
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    opener.open(address, timeout=20).read()
    events = f"{address.split('?', maxsplit=1)[0]}api/events?list"
    with opener.open(events, timeout=20), pytest.raises(subprocess.TimeoutExpired):
        process.wait(4)
    assert process.wait(30) == 0


def stderr_of_a_job(root: Path, *, terminal: bool = False) -> list[str]:
    """Run a job and return what it has written to stderr, a terminal perhaps."""
    ours, theirs = os.openpty() if terminal else os.pipe()
    with open(theirs, "wb") as stderr:
        called = [sys.executable, str(REPOSITORY / "tests" / "runs" / "runs.py"), "success"]
        subprocess.run(called, env=environment(root), stderr=stderr, check=True, timeout=60)
    read = b""
    with suppress(OSError):  # a terminal says so that nobody writes any more
        while part := os.read(ours, 65536):
            read += part
    os.close(ours)
    return read.decode().splitlines()


def test_the_first_line_of_a_job_is_the_address_of_the_page_where_one_is_served(served, tmp_path):
    (last,) = stderr_of_a_job(tmp_path)
    assert "http" not in last
    address = served(tmp_path)
    home, token = address.split("?")

    first, last = stderr_of_a_job(tmp_path)
    newest = max(run_folders(tmp_path), key=lambda folder: folder.stat().st_ctime_ns)
    assert first == f"synapse-otel: train-yolo-job-4711: {home}?run={newest.name}"
    assert "token" not in first + last
    first, _last = stderr_of_a_job(tmp_path, terminal=True)
    shown = first.split(": ")[-1]
    assert shown.startswith(f"{home}?{token}&run=")
    assert shown.split("&run=")[1] in names(shown)

    served.processes[0].kill()
    served.processes[0].wait(30)
    (last,) = stderr_of_a_job(tmp_path)
    assert "http" not in last


def test_a_port_in_use_is_said(shelf_root):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = command(shelf_root, "view", "--no-browser", "--port", str(taken.getsockname()[1]))
    assert ended.returncode == 2
    assert "Address already in use; choose another one with --port" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("no-such-run", "there is no run 'no-such-run'"),
        ("{tmp}", "is neither the folder of a run nor a folder of runs"),
        ("{tmp}/notes.html", "is neither a page nor OTLP in JSON written by `synapse-otel export`"),
    ],
)
def test_what_cannot_be_shown_is_said(shelf_root, tmp_path, target, said):
    (tmp_path / "notes.html").write_text("<p>mine")
    ended = command(shelf_root, "view", "--no-browser", target.format(tmp=tmp_path))
    assert ended.returncode == 2
    assert said in ended.stderr


def test_a_wrong_address_of_jaeger_stops_it(shelf_root):
    ended = command(shelf_root, "view", "--no-browser", SYNAPSE_OTEL_JAEGER_URL="javascript:alert(1)")
    assert ended.returncode == 2
    assert "SYNAPSE_OTEL_JAEGER_URL=javascript:alert(1): must begin with http:// or https://" in ended.stderr


def test_an_exported_page_opens_as_the_file_that_it_is(shelf_root, tmp_path):
    page = tmp_path / "run.html"
    assert command(shelf_root, "export", "coco", "-o", str(page)).returncode == 0
    ended = command(shelf_root, "view", "--no-browser", str(page))
    assert (ended.returncode, page.as_uri() in ended.stdout) == (0, True)
