"""Commands whose standard streams are closed do what they are asked for, and end as they do otherwise."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.runs.runs import command, environment

pytestmark = pytest.mark.once


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
@pytest.mark.parametrize("arguments", ["jobs", "jobs --json", "show", "doctor --no-probe"])
def test_a_command_without_streams(closed, arguments, success):
    program = "from synapse_otel.cli import main; main()"
    shell = f'exec "$0" -c "{program}" {arguments} {closed}'
    found = subprocess.run(
        ["sh", "-c", shell, sys.executable],
        env=environment(success.parent),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, "")


def test_a_command_that_ends_with_the_exit_code_of_another(tmp_path):
    found = command(tmp_path, "run", "--no-ship", "--", "sh", "-c", "exec >&- 2>&-; exit 3")
    assert found.returncode == 3
