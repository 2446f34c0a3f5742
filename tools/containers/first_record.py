"""How long it takes from nothing, no container and no volume, to the first record that a query finds."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import uuid
from typing import Final

from synapse_otel.semconv import JOB_ID
from tools.containers.project import Project
from tools.stack.fetch import get_text
from tools.stack.polling import eventually
from tools.stack.query import equal_fields

_JOB: Final = "import sys, synapse_otel\nwith synapse_otel.job('first', plugin='record', job_id=sys.argv[1]) as ctx:\n"
_RECORD: Final = "    ctx.log_message('the first one')\n"


def seconds_to_first_record(project: Project) -> tuple[float, float]:
    """Bring the project up from nothing and run a job; return the seconds until it was up, and until it was found."""
    project.down()
    job_id = uuid.uuid4().hex
    begin = time.monotonic()
    project.compose("up", "--wait")
    up = time.monotonic() - begin
    with tempfile.TemporaryDirectory() as journals:
        run_job(_JOB + _RECORD, job_id, endpoint=project.url("otlp_http"), journals=journals)
        query = [("query", equal_fields({JOB_ID: job_id, "event_name": "synapse.message"}))]
        address = f"{project.url('victorialogs')}/select/logsql/query"
        eventually(lambda: get_text(address, query), timeout=60, every=0.05)
    return up, time.monotonic() - begin


def run_job(script: str, job_id: str, *, endpoint: str, journals: str) -> None:
    """Run a job in a process of its own that delivers before it ends."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SYNAPSE_"))}
    settings = {
        "SYNAPSE_OTEL_JOURNAL_DIR": journals,
        "SYNAPSE_OTEL_SHIPPER": "thread",
        "SYNAPSE_OTEL_EXIT_TIMEOUT": "30",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
    }
    command = [sys.executable, "-c", script, job_id]
    subprocess.run(command, env=kept | settings, check=True, capture_output=True)
