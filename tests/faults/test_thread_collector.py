"""Garbage collection where the shipper is a thread of the job: over before the job's first call, or left alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """if True:
    import gc, sys
    gc.set_threshold(1_000_000, 1_000, 1_000)  # by itself it looks through everything not once
    whole = []
    gc.callbacks.append(lambda phase, info: whole.append(phase) if info["generation"] == 2 else None)
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger
    SETUP
    with synapse_otel.job("train", plugin="demo", logger=NoOpLogger()):
        print("collected" if whole else "left alone")
"""


@pytest.mark.parametrize(
    ("setup", "told"),
    [
        ("", "collected"),
        ("gc.disable()", "left alone"),
        ("many = [object() for _ in range(1_100_000)]", "left alone"),  # it would take long
    ],
)
def test_what_the_thread_loads_is_collected_at_its_start_unless_that_would_take_long(nowhere, setup, told):
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("SETUP", setup)],
        env=nowhere.environment() | {"SYNAPSE_OTEL_SHIPPER": "thread", "SYNAPSE_OTEL_EXIT_TIMEOUT": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == f"{told}\n", ended.stderr
