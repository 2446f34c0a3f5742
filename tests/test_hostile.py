"""What others may have put where we look: variables, shared folders, the page's requests, a server's answers."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

import synapse_otel
from synapse_otel.journal import folder
from synapse_otel.otlp.http_responses import Answer, outcome
from synapse_otel.otlp.outcome import Accepted, Invalid, Refused, Retry, TooLarge
from synapse_otel.runs.live.index import RunIndex
from synapse_otel.runs.live.store import RunStore
from synapse_otel.semconv.signal import Signal
from synapse_otel.ui.web.server import application

pytestmark = pytest.mark.once

# --- the variables that tell a worker of its job ----------------------------------------------------------

TOLD = (
    "TRACEPARENT",
    "TRACESTATE",
    "BAGGAGE",
    "SYNAPSE_OTEL_TRACEPARENT",
    "SYNAPSE_OTEL_TRACESTATE",
    "SYNAPSE_OTEL_JOB",
)
WORKER = """
import json, os, sys
import synapse_otel
from synapse_otel.plugins.context import RuntimeContext
import synapse_otel.mapping.propagation.inherited_job, synapse_otel.runtime.process, synapse_otel.runtime.run_names
import synapse_otel.runtime.wait_for_delivery, synapse_otel.settings
synapse_otel.settings.load_settings()  # what all need is loaded once

def work():
    synapse_otel.configure()
    ctx = RuntimeContext()
    ctx.set_progress(1, 2, "training")
    ctx.set_metrics({"loss": 0.5}, "training")
    ctx.log("event", {"a": 1})
    with synapse_otel.job("train", plugin="yolo") as ctx:
        ctx.log("event", {"a": 2})

for line in sys.stdin:
    child = os.fork()
    if not child:
        os.environ.update(json.loads(line))
        work()
        sys.exit()
    if os.waitpid(child, 0)[1]:
        print("of", line, file=sys.stderr)
        sys.exit(1)
"""
ODD_TEXTS = [
    "",
    "x",
    "-1",
    "9" * 5_000,
    "[]",
    "null",
    "[" * 50_000,
    '{"a":' * 50_000,
    "00-" + "0" * 32 + "-" + "0" * 16 + "-01",
    "00-" + "f" * 32 + "-" + "f" * 16 + "-ff",
    "a=b," * 2_000,
    "../../etc/passwd",
    "\x1b[2J",
    "$(id)",
    "%s%n",
    "a\nb",
]
ODD_VALUES = [
    None,
    -1,
    1 << 70,
    1 << 200,
    "x",
    "../../x",
    {},
    [],
    [None],
    {"a": 1},
    True,
    1.5,
    [[[]]],
    "a\0b",
    "A" * 32,
]


def spoiled(told: dict[str, str]) -> Iterator[dict[str, str]]:
    """Yield what a worker is told with each variable odd, and with each part of the description of its job odd."""
    for number, name in enumerate(TOLD):
        texts = ODD_TEXTS if name == "SYNAPSE_OTEL_JOB" else random.Random(number).sample(ODD_TEXTS, 4)
        yield from ({**told, name: text} for text in texts)
    job = json.loads(told["SYNAPSE_OTEL_JOB"])
    for name in job:
        yield {**told, "SYNAPSE_OTEL_JOB": json.dumps({key: value for key, value in job.items() if key != name})}
    for number in range(len(places(job))):
        for odd in random.Random(number).sample(ODD_VALUES, 2):
            changed = json.loads(told["SYNAPSE_OTEL_JOB"])
            container, key = places(changed)[number]
            container[key] = odd
            yield {**told, "SYNAPSE_OTEL_JOB": json.dumps(changed)}


def places(value: object) -> list[tuple[object, object]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in [(value, key), *places(value[key])]]


def test_whatever_a_worker_is_told_of_its_job_it_works_and_writes_nowhere_else(tmp_path, monkeypatch, synapse_job):
    told = {name: value for name, value in synapse_otel.child_environment(synapse_job.ctx).items() if name in TOLD}
    values = list(spoiled(told))
    assert len(values) > 80
    home = tmp_path / "home"
    home.mkdir()
    environment = {"SYNAPSE_OTEL_JOURNAL_DIR": str(tmp_path / "journals"), "SYNAPSE_OTEL_SHIPPER": "off"}
    ended = subprocess.run(
        [sys.executable, "-c", WORKER],
        input="".join(f"{json.dumps(value)}\n" for value in values),
        cwd=home,
        env={**os.environ, **environment, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3_000:]
    assert "Traceback" not in ended.stderr
    assert list(home.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"home", "journals"}


def test_a_worker_of_another_version_is_understood_as_far_as_it_goes(synapse_job, monkeypatch):
    """What a newer version adds to the description of a job is passed over."""
    from synapse_otel.mapping.propagation import inherited_job

    text = json.loads(synapse_otel.child_environment(synapse_job.ctx)["SYNAPSE_OTEL_JOB"]) | {"newer": [1]}
    monkeypatch.setattr(inherited_job, "_inherited", [])
    inherited_job.inherit(json.dumps(text), None, lambda *_: lambda: None, {})
    [(handed, _)] = inherited_job._inherited
    assert handed.job_id == synapse_job.job.id


# --- folders that all users of a machine share ------------------------------------------------------------

is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what belongs to another user")
OTHER = 65_534


def planted_folder(path: Path, _target: Path) -> None:
    path.mkdir(mode=0o777)
    os.chown(path, OTHER, OTHER)


def planted_link(path: Path, target: Path) -> None:
    path.symlink_to(target)
    os.lchown(path, OTHER, OTHER)


def planted_broken_link(path: Path, target: Path) -> None:
    path.symlink_to(target / "not there")
    os.lchown(path, OTHER, OTHER)


def planted_file(path: Path, _target: Path) -> None:
    path.touch(0o666)
    os.chown(path, OTHER, OTHER)


@is_root
@pytest.mark.parametrize("plant", [planted_folder, planted_link, planted_broken_link, planted_file])
def test_what_another_user_has_put_in_the_place_of_our_folder_is_not_used(tmp_path, plant):
    """Not as the folder of journals, and not as the fallback in /dev/shm or in the folder for temporary files."""
    ours = tmp_path / "ours"
    ours.mkdir()
    path = tmp_path / "synapse-otel-0"
    plant(path, ours)
    with pytest.raises(OSError, match=r"another user|exists|No such file|synapse-otel-0"):
        folder.make_root(path)
    assert list(ours.iterdir()) == []
    if path.is_dir() and not path.is_symlink():
        assert list(path.iterdir()) == []


@is_root
@pytest.mark.parametrize("plant", [planted_folder, planted_link])
def test_a_job_goes_on_to_the_next_folder(tmp_path, plant):
    """The first two belong to somebody else: its records are in the third, where only their user can read them."""
    shared, ours = tmp_path / "shared", tmp_path / "ours"
    shared.mkdir(mode=0o777)
    ours.mkdir()
    plant(tmp_path / "journals", ours)
    name = f"synapse-otel-{os.geteuid()}"
    plant(shared / name, ours)
    program = (
        "import os\n"
        "import synapse_otel\n"
        "from pathlib import Path\n"
        "os.umask(0)\n"
        "from synapse_otel.sdk import recorder\n"
        f"recorder.spare_roots = lambda: [Path({str(shared / name)!r}), Path({str(tmp_path / 'third')!r})]\n"
        "with synapse_otel.job('train', plugin='yolo') as ctx: ctx.log('event', {'secret word': 'kept'})\n"
    )
    environment = {"SYNAPSE_OTEL_JOURNAL_DIR": str(tmp_path / "journals"), "SYNAPSE_OTEL_SHIPPER": "off"}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        cwd=ours,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "belongs to another user" in ended.stderr
    assert list(ours.iterdir()) == []
    [run] = folder.run_folders(tmp_path / "third")
    assert b"secret word" in next(run.glob("*.segment")).read_bytes()
    for path in (tmp_path / "third", run, *run.iterdir()):
        assert path.stat().st_mode & 0o077 == 0, f"others can reach {path.name}"


# --- the page's requests ----------------------------------------------------------------------------------

PARTS = st.sampled_from(
    [
        "api",
        "runs",
        "..",
        ".",
        "%2e%2e",
        "%00",
        "curves",
        "records",
        "images",
        "info",
        "1",
        "-1",
        "1e9",
        "app.js",
        "%ff",
    ]
) | st.text(max_size=12)
KEYS = st.sampled_from(["series", "points", "begin", "end", "along", "cut", "offset", "limit", "level", "text", "list"])
ODD_NUMBERS = st.sampled_from(["nan", "inf", "-inf", "1e400", "9" * 40, "-9", "0x1", "1_0", "", "0,1,2", ",", "null"])


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> TestClient:
    from synapse_otel.testing import recorded_job

    root = tmp_path_factory.mktemp("runs")
    with recorded_job() as job:
        job.ctx.set_metrics({"loss": 0.5}, "training")
        job.close()
        for run in folder.run_folders(job.folder):
            run.rename(root / "run")
    store = RunStore(RunIndex([root], (), stall_seconds=300))
    client = TestClient(application(store, "token"), base_url="http://127.0.0.1:4319", follow_redirects=False)
    client.cookies.set("synapse-otel-view-4319", "token")
    assert [row["id"] for row in client.get("/api/runs").json()] == ["run"]
    return client


@given(
    st.lists(PARTS | st.just("run"), max_size=6),
    st.dictionaries(KEYS | st.text(max_size=5), ODD_NUMBERS | st.text(max_size=9), max_size=4),
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"]),
)
def test_no_request_is_an_error_of_the_page(page, parts, query, method):
    if "events" in parts or (method == "DELETE" and "run" in parts):
        return  # never ends; is what it says
    path = "/".join(quote(part.encode("utf-8", "surrogatepass"), safe="%") for part in parts)
    answer = page.request(method, f"http://127.0.0.1:4319/{path}", params=query)
    assert answer.status_code < 500
    assert b"root:" not in answer.content
    assert page.get("/api/runs").json()[0]["id"] == "run"


@given(
    st.dictionaries(
        st.sampled_from(
            ["origin", "referer", "range", "accept-encoding", "if-none-match", "x-forwarded-host", "content-length"]
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30),
    )
)
def test_no_header_is_an_error_of_the_page(page, headers):
    for path in ("/", "/api/runs", "/api/runs/run", "/app.js"):
        answer = page.get(path, headers={name: value.encode("latin-1") for name, value in headers.items()})
        assert answer.status_code < 500


# --- a server's answers -----------------------------------------------------------------------------------

HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "retry-after", "location"]),
    st.sampled_from(
        ["application/x-protobuf", "application/json", "text/html", "9" * 50, "-1", "nan", "http://[", "//"]
    )
    | st.text(max_size=40),
)
BODIES = st.binary(max_size=60) | st.sampled_from(
    [
        b'{"partialSuccess":{"rejectedLogRecords":"9999999999999999999999"}}',
        b"[" * 9_000,
        b'{"partialSuccess":null}',
        b"\n\x02\x08\x01",
    ]
)


@given(st.integers(100, 999), HEADERS, BODIES, st.sampled_from(Signal))
def test_whatever_a_server_answers_it_means_something(status, headers, body, signal):
    found = outcome(Answer(status, headers, body), signal, now=1.7e9)
    assert isinstance(found, Accepted | Retry | Refused | Invalid | TooLarge)
    if not isinstance(found, Accepted):
        assert found.reason.isprintable()
        assert "\n" not in found.reason
