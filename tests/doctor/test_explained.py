"""What the library says when something fails names the doctor check that explains it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from synapse_otel.cli.app import app
from synapse_otel.cli.codes import UNHEALTHY
from tests.runs.ports import free_port

pytestmark = pytest.mark.once

JOB = """if True:
    import synapse_otel
    from synapse_otel.journal import folder
    from synapse_otel.loggers import NoOpLogger
    folder.spare_roots = list  # other tests would find what is left there
    with synapse_otel.job("train", plugin="demo", logger=NoOpLogger()) as ctx:
        ctx.log_message("hello")
"""


@pytest.mark.parametrize(
    ("variable", "value", "shown"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:{port}", "FAIL  endpoint: logs"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier pigeon", "FAIL  settings: OTEL_EXPORTER_OTLP_PROTOCOL"),
        ("SYNAPSE_OTEL_JOURNAL_DIR", "/proc/nowhere", "FAIL  journal: /proc/nowhere"),
    ],
)
def test_the_check_that_an_error_names_shows_the_reason(tmp_path, monkeypatch, variable, value, shown):
    monkeypatch.setenv("SYNAPSE_OTEL_JOURNAL_DIR", str(tmp_path))
    monkeypatch.setenv("SYNAPSE_OTEL_SHIPPER", "thread")
    monkeypatch.setenv(variable, value.format(port=free_port()))
    job = subprocess.run([sys.executable, "-c", JOB], capture_output=True, text=True, check=False)
    named = re.search(r"`synapse-otel (doctor \w+)` tells more", job.stderr)
    assert named, job.stderr
    doctor = CliRunner().invoke(app, shlex.split(named[1]))
    assert doctor.exit_code == UNHEALTHY
    assert shown in doctor.output
