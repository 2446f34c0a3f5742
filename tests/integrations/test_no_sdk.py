"""The instrumentor of the Synapse SDK where that is not installed: it says so, and the program is as ever."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from synapse_otel.integrations.synapse_sdk.identity import trial_of_this_process

pytestmark = pytest.mark.once

BY_HAND = """
from synapse_otel.integrations.synapse_sdk import SynapseInstrumentor
SynapseInstrumentor().instrument()
print("goes on")
"""
BY_VARIABLE = """
try:
    import synapse_sdk
except ModuleNotFoundError as error:
    print(error.name)
import requests
print("goes on")
"""


def run(program: str, folder: os.PathLike[str], **variables: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "SYNAPSE_OTEL_JOURNAL_DIR": os.fspath(folder), **variables}
    return subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True)


@pytest.mark.parametrize(("said", "trial"), [("a1b2c_00003", "a1b2c_00003"), (" ", None), (None, None)])
def test_a_trial_is_what_the_sdk_says_in_its_process(monkeypatch, said, trial):
    monkeypatch.delenv("SYNAPSE_TRIAL_ID", raising=False)
    if said is not None:
        monkeypatch.setenv("SYNAPSE_TRIAL_ID", said)
    assert trial_of_this_process() == trial


def test_there_is_none_here():
    assert find_spec("synapse_sdk") is None


def test_by_hand_it_says_what_is_missing(tmp_path):
    ended = run(BY_HAND, tmp_path)
    assert ended.stdout == "goes on\n"
    assert ended.stderr.count('"synapse-sdk >= 2026.1.50", but no installed version was found') == 1
    assert len(ended.stderr.splitlines()) == 1


def test_by_a_variable_the_import_fails_as_ever_and_nothing_is_said(tmp_path):
    ended = run(BY_VARIABLE, tmp_path, SYNAPSE_OTEL_INSTRUMENT="true")
    assert ended.stdout == "synapse_sdk\ngoes on\n"
    assert ended.stderr == ""
    assert list(tmp_path.iterdir()) == []
