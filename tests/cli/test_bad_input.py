"""What a user gets wrong is said on one line, and nothing is deleted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs.runs import COMMAND, command, environment
from tests.sink import Sink

pytestmark = pytest.mark.once

NOBODY = 65_534


def copied(folder, root):
    shutil.copytree(folder, root / folder.name)
    return root / folder.name


def files(root):
    return {path.relative_to(root): path.stat().st_size for path in root.rglob("*") if path.name != "ship.lock"}


def as_nobody(root, *arguments, **variables):
    """Run a command as another user, who could not start it: its modules are loaded before."""
    modules = ", ".join(
        f"synapse_otel.cli.{name}" for name in ("jobs.command", "show", "deliver.ship", "deliver.sync", "run.command")
    )
    program = f"""
import contextlib, io, os, sys, rich.cells, {modules}
rich.cells.cell_len("\u2026")  # loads its table
given = sys.argv[1:]
sys.argv[1:] = [given[0], "--help"]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    exec({COMMAND!r})
sys.argv[1:] = given
os.setegid({NOBODY}); os.seteuid({NOBODY})
exec({COMMAND!r})
"""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environment(root, **variables),
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=60,
        cwd="/",
    )


def test_sync_without_a_journal_makes_none(tmp_path):
    found = command(tmp_path / "none", "sync", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert (found.returncode, found.stdout, found.stderr) == (0, "nothing is pending for http://127.0.0.1:1\n", "")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("subcommand", ["sync", "jobs", "show", "ship"])
def test_a_folder_that_may_not_be_looked_into_is_said_on_one_line(subcommand, success, tmp_path):
    copied(success, tmp_path)
    os.chmod(tmp_path, 0o700)
    before = files(tmp_path)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.geteuid() and str(parent) != "/" and not parent.stat().st_mode & 0o001:
            os.chmod(parent, parent.stat().st_mode | 0o011)
    found = as_nobody(tmp_path, subcommand)
    assert (found.returncode, found.stdout) == (2, "")
    assert str(tmp_path) in found.stderr
    assert found.stderr.count("\n") == 1
    assert files(tmp_path) == before


@pytest.mark.parametrize("subcommand", ["jobs", "show", "sync"])
def test_a_folder_that_may_not_be_looked_into_holds_up_no_other(subcommand, success, tmp_path):
    """As where HOME is another user's: the journals went to memory, and are found there."""
    spare = Path(f"/dev/shm/synapse-otel-{NOBODY}")
    assert not spare.exists()
    spare.mkdir(mode=0o700)
    try:
        folder = copied(success, spare)
        for path in (spare, folder, *folder.iterdir()):
            os.chown(path, NOBODY, NOBODY)
        os.chmod(tmp_path, 0o700)
        with Sink() as sink:
            found = as_nobody(tmp_path / "state" / "journals", subcommand, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
        assert found.returncode == 0, found.stderr
        assert found.stderr.count("\n") == 1
        assert "Permission denied; its runs are left out" in found.stderr
        assert found.stdout
    finally:
        shutil.rmtree(spare)


def test_a_run_of_another_user_is_left_alone_and_holds_up_no_other(success, failure, tmp_path):
    theirs = copied(failure, tmp_path)
    copied(success, tmp_path)
    for path in (theirs, *theirs.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    before = files(theirs)
    with Sink() as sink:
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url}
        named = command(tmp_path, "sync", theirs.name, **endpoint)
        assert (named.returncode, named.stdout) == (2, "")
        assert named.stderr == f"synapse-otel: {theirs} belongs to another user and is not delivered\n"
        own = command(tmp_path, "sync", success.name, **endpoint)
        assert own.returncode == 0
        every = command(tmp_path, "sync", **endpoint)
        assert every.stderr == f"synapse-otel: 1 run of other users skipped: {theirs.name}\n"
    assert files(theirs) == before


def test_a_journal_of_a_newer_format_is_left_as_it_is(success, tmp_path):
    folder = copied(success, tmp_path)
    run = json.loads((folder / "run.json").read_bytes())
    (folder / "run.json").write_text(json.dumps({**run, "version": 99, "colour": "new"}))
    before = files(folder)
    with Sink() as sink:
        found = command(tmp_path, "sync", folder.name, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
        assert not sink.requests
    assert found.returncode == 1
    assert "a journal of a newer format (99, while this release knows 1): left as it is" in found.stdout
    assert files(folder) == before
    assert command(tmp_path, "jobs").returncode == 0


def test_a_damaged_run_file_keeps_nothing_from_being_delivered(success, tmp_path):
    folder = copied(success, tmp_path)
    (folder / "run.json").write_bytes(b"{\x00")
    with Sink() as sink:
        found = command(tmp_path, "sync", folder.name, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
        assert (found.returncode, found.stderr) == (0, "")
        assert len(sink.logs()) == 6
    assert list(folder.glob("*.segment")), "it is not known whether they were to be kept"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://x"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"OTEL_EXPORTER_OTLP_CERTIFICATE": "/no/file"}, "OTEL_EXPORTER_OTLP_CERTIFICATE=/no/file"),
        ({"SYNAPSE_OTEL_STALL_TIMEOUT": "-1"}, "SYNAPSE_OTEL_STALL_TIMEOUT=-1"),
    ],
)
def test_a_wrong_setting_is_said_on_one_line_by_its_name(variables, said, tmp_path):
    subcommand = "jobs" if "SYNAPSE_OTEL_STALL_TIMEOUT" in variables else "sync"
    found = command(tmp_path, subcommand, **variables)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith(f"synapse-otel: {said}")
    assert found.stderr.count("\n") == 1
