"""Journals of any content: found by hypothesis here, and for longer by ``python -m tools.fuzz``."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from synapse_otel.journal import frames
from synapse_otel.journal.frames import Kind
from tests.journal.test_frames_and_damage import anything, structures
from tools.fuzz.check import check, seeds

pytestmark = pytest.mark.once

REPOSITORY = Path(__file__).parents[2]

lists = st.lists(anything | st.binary(max_size=24) | st.lists(st.integers(0, 3), max_size=3), max_size=12)
payload = st.one_of(
    lists.map(frames.encode), st.binary(max_size=40), *(one.map(frames.encode) for one in structures.values())
)
whole = st.builds(
    frames.frame,
    st.sampled_from([*Kind, 99]),
    payload,
    st.integers(0, 255),
    st.sampled_from([0, 1, 5, 1 << 40, (1 << 64) - 1]),
)
journals = st.lists(whole | st.binary(max_size=30) | st.just(bytes(30)), max_size=12).map(b"".join)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.sampled_from([0, 2, 4, 8, 16, 66]), journals)
@example(0, next(seeds())[1:])
def test_whole_frames_with_any_content_are_read_and_delivered_without_an_error(what, journal):
    check(bytes([what]) + journal)


@pytest.mark.parametrize("seed", list(seeds()))
def test_what_the_fuzzer_begins_with_is_no_error(seed):
    check(seed)


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has no wheel for this Python")
def test_the_fuzzer_finds_nothing_in_a_few_seconds(tmp_path):
    command = [sys.executable, "-m", "tools.fuzz", "--seconds", "5"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}  # it leaves there what it has tried
    ended = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "Done " in ended.stderr
