"""Runs whose records were delivered and removed from the machine: they say so, and are not exported as if whole."""

from __future__ import annotations

import shutil

import pytest

from synapse_otel.journal.kept import delete_delivered
from synapse_otel.runs import Recording
from tests.runs.runs import command
from tests.sink import Sink

pytestmark = pytest.mark.once


@pytest.mark.parametrize("kind", ["html", "csv", "otlp-json"])
def test_a_run_that_is_not_whole_is_written_only_on_demand(success, tmp_path, kind):
    folder = tmp_path / success.name
    shutil.copytree(success, folder)
    with Sink() as sink:
        assert command(tmp_path, "sync", folder.name, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url).returncode == 0
    asked = ["export", folder.name, "--format", kind, "--output"]
    assert command(tmp_path, *asked, str(tmp_path / "whole")).returncode == 0
    delete_delivered(folder, 1)
    target = tmp_path / "left"
    refused = command(tmp_path, *asked, str(target))
    assert refused.returncode == 2
    assert "delivered and removed from this machine: all " in refused.stderr
    assert not target.exists()
    allowed = command(tmp_path, *asked, str(target), "--incomplete")
    assert allowed.returncode == 0
    assert target.exists()
    assert "the file has what is left: " in allowed.stderr
    assert "delivered and removed from this machine: all " in allowed.stderr
    if kind == "html":
        assert f'"removed":{Recording.read(folder).account.emitted},' in target.read_text(encoding="utf-8")


def test_a_removed_run_is_called_so_wherever_it_is_shown(success, tmp_path):
    folder = tmp_path / success.name
    shutil.copytree(success, folder)
    with Sink() as sink:
        assert command(tmp_path, "sync", folder.name, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url).returncode == 0
    assert "removed from this machine" not in command(tmp_path, "show").stdout
    delete_delivered(folder, 1)
    assert "delivered and removed from this machine: all " in command(tmp_path, "show").stdout
