"""Where no Docker engine can run, one line says why, and CI fails."""

from __future__ import annotations

import os

import pytest

from tests.containers.machine import leave_out
from tools.containers.__main__ import main
from tools.containers.errors import NoEngineError
from tools.containers.systems import unpacked_systems

pytestmark = pytest.mark.once


@pytest.fixture
def somebody(monkeypatch):
    """A user who is not root."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def test_who_is_not_root_is_told_so(somebody):
    with pytest.raises(NoEngineError, match=r"^only root can start a Docker engine of its own$"):
        unpacked_systems()


def test_a_machine_without_unshare_is_told_so(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoEngineError, match="unshare"):
        unpacked_systems()


def test_a_machine_that_refuses_namespaces_is_told_so(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    unshare = tmp_path / "unshare"
    unshare.write_text("#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n")
    unshare.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(NoEngineError, match=r"namespaces of its own: .* Operation not permitted$"):
        unpacked_systems()


@pytest.mark.parametrize(("ci", "status"), [("true", 1), ("", 0)])
def test_the_command_says_it_in_a_line_and_fails_in_ci_alone(somebody, ci, status, monkeypatch, capsys):
    monkeypatch.setenv("CI", ci)
    assert main(["prepare"]) == status
    assert capsys.readouterr().err == "containers: NOT RUN: only root can start a Docker engine of its own\n"


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_the_tests_are_left_out_and_fail_in_ci(ci, outcome, monkeypatch):
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="NOT RUN: no engine"):
        leave_out(NoEngineError("no engine"))
