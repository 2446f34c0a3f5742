"""A run, the servers that it was delivered to, and the command that compares them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from synapse_otel.journal.folder import run_folders
from tests.faults.running import Place
from tools.stack.stack import Stack

JOB = Path(__file__).with_name("recording_job.py")


@dataclass
class Recorder:
    """Runs jobs into a folder of their own, and verifies them."""

    place: Place
    stack: Stack

    def run(self, mode: str = "good", *, ship: bool = True) -> Path:
        """Run a job and return its folder; without ``ship`` nothing of it is sent yet."""
        before = set(run_folders(self.place.root)) if self.place.root.exists() else set()
        self.place.variables["SYNAPSE_OTEL_SHIPPER"] = "process" if ship else "off"
        ended = self.place.run(mode, program=JOB)
        assert ended.code == (-9 if mode == "killed" else 0), ended.err
        (folder,) = set(run_folders(self.place.root)) - before
        return folder

    def command(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `synapse-otel`."""
        return subprocess.run(
            [sys.executable, "-m", "synapse_otel", *arguments],
            env=self.place.environment() | variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def verify(self, folder: Path, *options: str, code: int = 0, **variables: str) -> dict[str, Any]:
        """Return the report of a run."""
        ended = self.command("verify", str(folder), "--json", *options, **variables)
        assert ended.returncode == code, ended.stdout + ended.stderr
        report: dict[str, Any] = json.loads(ended.stdout)
        return report


def counts(report: dict[str, Any], *names: str) -> dict[str, tuple[int, ...]]:
    """Return counts by signal."""
    return {signal: tuple(one[name] for name in names) for signal, one in report["signals"].items()}


@pytest.fixture
def recorder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Recorder]:
    """Give what runs jobs against the servers of the fixture `servers`."""
    stack: Stack = request.getfixturevalue("servers")
    place = Place(tmp_path / "journals", stack.otlp_http)
    place.variables |= {
        "SYNAPSE_OTEL_JOURNAL_KEEP": "true",
        "SYNAPSE_OTEL_EXIT_TIMEOUT": "20",
        "SYNAPSE_OTEL_VERIFY_LOGS_URL": stack.victorialogs,
        "SYNAPSE_OTEL_VERIFY_PROMETHEUS_URL": stack.prometheus,
        "SYNAPSE_OTEL_JAEGER_URL": stack.jaeger,
    }
    yield Recorder(place, stack)
    place.end()
