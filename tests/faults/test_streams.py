"""Standard streams that are closed, missing, minimal, broken or replaced: the job goes on, and is recorded whole."""

from __future__ import annotations

import subprocess
import sys

import pytest

from synapse_otel.journal.folder import run_folders
from synapse_otel.runs import Recording
from tests.runs.runs import environment

pytestmark = pytest.mark.once

MINIMAL = "class M:\n    def write(self, text): return len(text)\n    def flush(self): pass\n"
RAISING = (
    "class M:\n    def write(self, text): raise RuntimeError('no')\n    flush = isatty = lambda self: self.write('')\n"
)
BOTH = "sys.stdout = sys.stderr = "
STREAMS = {
    "closed": "sys.stdout.close(); sys.stderr.close()",
    "missing": BOTH + "None",
    "all missing": BOTH + "sys.__stdout__ = sys.__stderr__ = None",
    "minimal": MINIMAL + BOTH + "M()",
    "write alone": MINIMAL.rpartition("    def")[0] + BOTH + "M()",
    "no methods": BOTH + "object()",
    "raising": RAISING + BOTH + "M()",
    "of bytes": "import io\n" + BOTH + "io.BytesIO()",
    "not hashable": "import io\nclass T(io.StringIO):\n    __hash__ = None\n" + BOTH + "T()",
    "claims a terminal": "import io\nclass T(io.StringIO):\n    def isatty(self): return True\n" + BOTH + "T()",
    "full": BOTH + "open('/dev/full', 'w')",
    "descriptors closed": "os.close(1); os.close(2)",
}
JOB = """
import os, sys, synapse_otel
{before}
with synapse_otel.job("train", plugin="odd") as ctx:
    ctx.log_message("hello")
    ctx.set_progress(1, 2, "a")
    ctx.set_metrics({{"x": 1.0}}, "a")
{inside}
    ctx.log("event", {{"k": 1}})
    ctx.set_progress(2, 2, "a")
    ctx.log_message("bye", "danger")
os._exit(7)
"""


def run(tmp_path, before="", inside="", **options):
    inside = "".join(f"    {line}\n" for line in inside.splitlines())
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
    ended = subprocess.run(
        [sys.executable, "-c", JOB.format(before=before, inside=inside)],
        env=environment(tmp_path),
        timeout=60,
        check=False,
        **options,
    )
    (folder,) = run_folders(tmp_path)
    found = Recording.read(folder)
    assert ended.returncode == 7
    assert found.job.attributes["synapse.job.result"] == "success"
    bodies = [log.body for log in found.logs if log.event_name == "synapse.message"]
    assert bodies[0] == "hello"
    assert bodies[-1] == "bye"
    return ended


@pytest.mark.parametrize("name", STREAMS)
def test_streams_from_the_start(name, tmp_path):
    run(tmp_path, before=STREAMS[name])


@pytest.mark.parametrize("name", STREAMS)
def test_streams_from_the_middle_on(name, tmp_path):
    run(tmp_path, inside=STREAMS[name])


def test_what_is_replaced_in_the_middle_is_followed(tmp_path):
    inside = "import io\nsys.stdout.flush(); first, sys.stdout = sys.stdout, io.StringIO()"
    program = "    first.write(repr('event' in sys.stdout.getvalue())); first.flush()\n"
    ended = subprocess.run(
        [sys.executable, "-c", JOB.format(before="", inside=f"    {inside.replace(chr(10), chr(10) + '    ')}\n")
         .replace("os._exit(7)", program.strip())],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip
    assert "hello" in ended.stdout
    assert ended.stdout.endswith("True")
