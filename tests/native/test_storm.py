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
    assert wanted["forks"]
    assert wanted["handled"]
    assert found["by"] == {f"thread {number}": RECORDS for number in range(8)} | {"signal": wanted["handled"]}
    assert found["samples"] == wanted["samples"]
    assert (wanted["samples"] > 0) == (native == "on")
    assert found["dropped"] == [0, 0, 0]
    assert found["sequences"] == [8 * RECORDS + wanted["handled"], wanted["samples"], 0]
