"""What cannot be looked at around a job: it runs, one line says what is missing, and all else arrives."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.runs.runs import command, environment
from tests.sink import Sink, attributes

pytestmark = pytest.mark.once

NOBODY = 65_534
NO_ENTRY = 54_321
JOB = """
import synapse_otel
with synapse_otel.job("train", plugin="odd") as ctx:
    ctx.log_message("hello")
    ctx.log("event", {"x": 1}, file="model.pt")
raise SystemExit(7)
"""
AS_ANOTHER = """
import contextlib, importlib, os, pwd
for name in %r:
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
from opentelemetry.sdk.resources import Resource; Resource.create()
from synapse_otel.sdk import resource; resource.make_resource({})
resource.say_once.__globals__["_said"].clear()
os.setgid(%d); os.setuid(%d)
"""
"""To another user, who could not load modules: the tree may be in a folder of this user's alone."""
LOADED = """
import sys
print(*sorted(set(sys.modules) - {"__main__"}))
"""
GIT_HEAD = b"ref: refs/heads/main\n"


def run_job(root, cwd, *, before="", prefix=(), program=JOB, **variables):
    """Run a job in a process of its own; return how it ended, and what its resource is at the far side."""
    with Sink() as sink:
        found = environment(root, SYNAPSE_OTEL_SHIPPER="thread", OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
        found |= {"OTEL_RESOURCE_ATTRIBUTES": "synapse.tenant=acme", **variables}
        ended = subprocess.run(
            [*prefix, sys.executable, "-c", before + program],
            env={name: value for name, value in found.items() if value is not None},
            cwd=cwd,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=60,
            check=False,
        )
        requests = [one.message for one in sink.accepted("/v1/logs")]
    resources = [attributes(one.resource) for request in requests for one in request.resource_logs]
    return ended, resources


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """The modules that a whole job loads, its delivery included."""
    folder = tmp_path_factory.mktemp("loaded")
    ended, _ = run_job(folder, folder, program=JOB.replace("raise SystemExit(7)", "") + LOADED)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()[-1].split()


def told(ended):
    return [line for line in ended.stderr.splitlines() if line.startswith("synapse-otel: ")]


def check(ended, resources, *said):
    """Check that a job ended as its own code says, with so many lines before the last, and arrived."""
    assert ended.returncode == 7, ended.stderr
    assert "Traceback" not in ended.stderr
    lines = told(ended)
    assert len(lines) == len(said) + 1, ended.stderr
    for line, words in zip(lines, said, strict=False):
        assert words in line
    assert "delivered" in lines[-1]
    assert resources
    for resource in resources:
        assert resource["synapse.tenant"] == "acme"
        assert resource["service.name"] == "odd"
        assert "process.pid" in resource


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "journals"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def open_folder():
    """A folder that every user may enter, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_working_directory_that_is_gone(root, tmp_path):
    gone = ["sh", "-c", 'd=$(mktemp -d); cd "$d"; rmdir "$d"; exec "$@"', "sh"]
    check(*run_job(root, tmp_path, prefix=gone), "lacks branch and revision: FileNotFoundError")
    for subcommand in (
        ["jobs"],
        ["show"],
        ["sync"],
        ["export", "-o", str(tmp_path / "page")],
        ["doctor", "--no-probe"],
    ):
        program = "from synapse_otel.cli import main; main()"
        found = subprocess.run(
            [*gone, sys.executable, "-c", program, *subcommand],
            env=environment(root),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (found.returncode, found.stderr) == (0, ""), subcommand


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's folder is needed")
def test_a_working_directory_that_may_not_be_looked_into(open_folder, loaded):
    private = open_folder / "private"
    private.mkdir(mode=0o700)
    root = open_folder / "own"
    root.mkdir(mode=0o700)
    os.chown(root, NOBODY, NOBODY)
    found = run_job(root, private, before=AS_ANOTHER % (loaded, NOBODY, NOBODY))
    check(*found, "pyproject.toml is ignored: Permission denied", "lacks branch and revision")


@pytest.mark.parametrize(
    "content",
    [
        b"[project]\nauthors = ['J\xf6rg']\n",
        "[project]\n".encode("utf-16"),
        b"<<<<<<< HEAD\n[project]\n",
        b"a = " + b"[" * 100_000,
        b"\x00\x01",
    ],
    ids=["latin-1", "utf-16", "conflict", "deep", "binary"],
)
def test_a_project_file_that_is_no_toml_is_passed_over(content, root, tmp_path):
    (tmp_path / "pyproject.toml").write_bytes(content)
    check(*run_job(root, tmp_path), "pyproject.toml is ignored, since it is not valid TOML")


@pytest.mark.parametrize("content", [b"tool = 3\n", b"", b"\xef\xbb\xbf[tool.synapse_otel]\njournal_keep = true\n"])
def test_a_project_file_of_somebody_else_needs_no_word(content, root, tmp_path):
    (tmp_path / "pyproject.toml").write_bytes(content)
    check(*run_job(root, tmp_path))


def test_a_project_file_that_is_a_pipe_holds_nobody_up(root, tmp_path):
    os.mkfifo(tmp_path / "pyproject.toml")
    check(*run_job(root, tmp_path))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"HEAD": GIT_HEAD, "packed-refs": b"0" * 40 + b" refs/heads/main\n" + b"1" * 40 + b" refs/tags/\xdf\n"}, ()),
        ({"HEAD": b"ref: refs/heads/\xdf\n"}, ()),
        ({"HEAD": b"ref: refs/heads/a\x00b\n"}, ("lacks branch and revision",)),
        ({"HEAD": b""}, ()),
        ({}, ()),
    ],
    ids=["packed", "branch", "null", "empty", "none"],
)
def test_git_files_of_any_content(files, said, root, tmp_path):
    (tmp_path / ".git").mkdir()
    for name, content in files.items():
        (tmp_path / ".git" / name).write_bytes(content)
    check(*run_job(root, tmp_path), *said)


def test_paths_need_not_be_utf_8(tmp_path):
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.makedirs(folder, mode=0o700)
    root = os.fsdecode(folder)
    check(*run_job(root, root, HOME=root))
    for arguments in (["jobs"], ["jobs", "--json"], ["show"], ["sync"], ["doctor", "--no-probe", "--json"]):
        found = command(root, *arguments)
        assert (found.returncode, found.stderr) == (0, ""), arguments


@pytest.mark.parametrize("zone", ["No/Such_Zone", ":/no/file", "\udcff", "x" * 5_000])
def test_a_time_zone_that_there_is_not(zone, root, tmp_path):
    check(*run_job(root, tmp_path, TZ=zone))
    assert command(root, "jobs", TZ=zone).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="a host name of its own is needed")
def test_a_host_name_that_is_not_utf_8(root, tmp_path):
    named = ["unshare", "-u", "sh", "-c", "printf '\\377' > /proc/sys/kernel/hostname; exec \"$@\"", "sh"]
    check(*run_job(root, tmp_path, prefix=named))


@pytest.mark.skipif(os.geteuid() != 0, reason="a mount is taken away")
def test_without_proc(root, tmp_path):
    without = ["unshare", "-m", "sh", "-c", 'umount -l /proc; exec "$@"', "sh"]
    check(*run_job(root, tmp_path, prefix=without), "lacks what the detector 'process' finds")


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is needed")
def test_a_user_without_an_entry_and_without_a_home(loaded):
    before = AS_ANOTHER % (loaded, NO_ENTRY, NO_ENTRY)
    unset = {"HOME": None, "XDG_STATE_HOME": None, "SYNAPSE_OTEL_JOURNAL_DIR": None}
    found, resources = run_job("", "/", before=before, **unset)
    try:
        check(found, resources, "HOME is not set, and the user database has no home folder")
    finally:
        shutil.rmtree(f"{tempfile.gettempdir()}/synapse-otel-{NO_ENTRY}", ignore_errors=True)


@pytest.mark.parametrize("home", ["", "/etc/passwd", "/no/such/folder"])
def test_a_home_that_is_none_is_no_reason_to_fail(home, root, tmp_path):
    check(*run_job(root, tmp_path, HOME=home))


def test_further_detectors_that_there_are_not_are_named_on_a_line(root, tmp_path):
    ended, resources = run_job(root, tmp_path, OTEL_EXPERIMENTAL_RESOURCE_DETECTORS="otel,nonsense")
    check(ended, resources)
    assert ended.stderr.count("nonsense") == 1
