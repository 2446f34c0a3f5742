"""Nothing is lost and nothing is there twice, whoever writes at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

RECORDS = 5_000


@pytest.mark.parametrize("native", ["on", "off"])
def test_threads_signals_and_forks_at_once(tmp_path, native):
    if native == "on":
        pytest.importorskip("synapse_otel._native", reason="no compiled module here")
    ended = subprocess.run(
        [sys.executable, Path(__file__).with_name("storm.py"), tmp_path, str(RECORDS)],
        env={"SYNAPSE_OTEL_NATIVE": native},
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(ended.stdout)
    found, wanted = told["found"], told["wanted"]
    assert wanted["failed"] == 0
    assert found["by"] == wanted["by"]
    assert all(made >= RECORDS for by, made in wanted["by"].items() if by != "signal")
    assert wanted["by"]["signal"] >= 50
    assert found["samples"] == wanted["samples"]
    assert (wanted["samples"] > 0) == (native == "on")
    assert found["dropped"] == [0, 0, 0]
    assert found["sequences"] == [sum(wanted["by"].values()), wanted["samples"], 0]
