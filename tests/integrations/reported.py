"""What a callback of a training library reports: each library runs in a process of its own, as its imports are slow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"

HEAD = """
import json, sys
from synapse_otel.testing import recorded_job

def told(job):
    samples, progress = {}, {}
    for (category, name), series in job.recording.curves.items():
        samples.setdefault(category, {})[name] = series.values
    for one in job.recording.progress:
        progress[one.category] = [one.progress.current, one.progress.limit]
    events = [[log.event_name, log.severity, log.body] for log in job.log_records]
    return {"samples": samples, "progress": progress, "events": events}
"""


@dataclass
class Reported:
    """What a script has told, by its own names."""

    told: dict
    errors: str


def reported(script: str, tmp_path: Path, **variables: str) -> Reported:
    """Run a script whose last line of output is a JSON object."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "XDG_STATE_HOME": str(tmp_path), **variables}
    ended = subprocess.run(
        [sys.executable, "-c", HEAD + script],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return Reported(json.loads(ended.stdout.splitlines()[-1]), ended.stderr)
