"""`sys.exit` of anything: the job ends as Python ends the process, and the result says the same."""

from __future__ import annotations

import subprocess
import sys

import pytest

from synapse_otel.journal.folder import run_folders
from synapse_otel.runs import Recording
from tests.runs.runs import environment

pytestmark = pytest.mark.once

VALUES = [
    "", "None", "0", "1", "3", "True", "False", "256", "-1", "2**31", "2**32", "2**63", "2**64", "-2**63",
    "0.0", "1.5", "''", "'text'", "[]", "['3 files failed', 'a.jpg']", "{'failed': 3}", "{}", "(1, 2)", "set()",
    "ValueError('x')", "SystemExit(3)", "__import__('decimal').Decimal(0)", "__import__('http').HTTPStatus(200)",
    "__import__('numpy').int64(0)", "object()", "float('nan')", "Hashless()",
]  # fmt: skip
HEAD = """
import sys
class Hashless(list):
    __hash__ = None
    def __eq__(self, other): raise RuntimeError("cannot be compared")
"""


@pytest.mark.parametrize("value", VALUES)
def test_the_result_is_what_the_process_ends_with(value, tmp_path):
    plain = HEAD + f"sys.exit({value})"
    job = HEAD + f"import synapse_otel\nwith synapse_otel.job('train', plugin='odd'):\n    sys.exit({value})"
    without, ended = (
        subprocess.run(
            [sys.executable, "-c", program], env=environment(tmp_path), capture_output=True, timeout=60, check=False
        )
        for program in (plain, job)
    )
    assert ended.returncode == without.returncode
    assert ended.stderr.splitlines()[1:] == without.stderr.splitlines() or b"object at" in ended.stderr
    (folder,) = run_folders(tmp_path)
    root = Recording.read(folder).job
    assert root.attributes["synapse.job.result"] == ("failure" if ended.returncode else "success")
    assert root.attributes.get("error.type") == ("SystemExit" if ended.returncode else None)
