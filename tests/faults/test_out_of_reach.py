"""The folder of journals can no longer be looked into while a job runs: its work and its exit code are its own."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from textwrap import dedent

import pytest

from synapse_otel.journal.folder import run_folders
from synapse_otel.sdk.recorder import spare_roots

FAILS = """
import os, synapse_otel
from synapse_otel.loggers import NoOpLogger

ROOT = os.environ["SYNAPSE_OTEL_JOURNAL_DIR"]
code = None

def failing(function):
    def instead(path, *arguments, **options):
        if code is not None and isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(ROOT):
            raise OSError(code, os.strerror(code), os.fspath(path))
        return function(path, *arguments, **options)
    return instead

for name in ("open", "stat", "lstat", "listdir", "rename", "unlink", "mkdir"):
    setattr(os, name, failing(getattr(os, name)))

with synapse_otel.job("train", plugin="demo", logger=NoOpLogger()) as ctx:
    ctx.log_message("before")
    code = {code}
    ctx.log_message("the plugin reports an error", "danger")
    ctx.set_metrics({{"loss": 0.5}})
    ctx.end_log()
    ctx.log_message("after")
print("the work is done")
"""


@pytest.fixture
def spare_before():
    """Leave no journal behind in the folders that all jobs share."""
    before = {folder for root in spare_roots() for folder in run_folders(root)}
    yield
    for root in spare_roots():
        for folder in run_folders(root):
            if folder not in before:
                for path in folder.iterdir():
                    path.unlink()
                folder.rmdir()


@pytest.mark.parametrize(
    "code", [errno.EACCES, errno.ESTALE, errno.EIO, errno.ENOTCONN, errno.EKEYEXPIRED, errno.ELOOP]
)
def test_whatever_the_file_system_says_the_job_goes_on_and_one_line_tells(place, tmp_path, spare_before, code):
    script = tmp_path / "script.py"
    script.write_text(FAILS.format(code=int(code)))
    ended = subprocess.run(
        [sys.executable, script],
        env={**place.environment(), "SYNAPSE_OTEL_SHIPPER": "off"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert [ended.returncode, ended.stdout] == [0, "the work is done\n"], ended.stderr
    lines = [line for line in ended.stderr.splitlines() if os.strerror(code) in line]
    assert lines, ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_job_that_gives_up_its_rights_ends_as_it_would_have_ended(place, tmp_path, spare_before):
    script = tmp_path / "script.py"
    script.write_text(
        dedent("""
        import os, sys, synapse_otel
        from synapse_otel.loggers import NoOpLogger
        with synapse_otel.job("train", plugin="demo", logger=NoOpLogger()) as ctx:
            ctx.log_message("as root")
            os.setgroups([]); os.setgid(65534); os.setuid(65534)
            ctx.log_message("as nobody", "danger")
            ctx.set_progress(1, 2)
            sys.exit(7)
        """)
    )
    ended = subprocess.run(
        [sys.executable, script], env=place.environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 7, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "train-demo-1: failure" in ended.stderr.splitlines()[-1]
