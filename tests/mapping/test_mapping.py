"""What each call becomes in OpenTelemetry, whole: through our own recorder, and through a host's plain SDK.

`pytest --snapshot-update tests/mapping` writes the expected texts anew; a reader of the difference judges it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from synapse_otel import semconv
from tests.mapping.readout import text, timeless
from tests.mapping.recorded import run
from tests.mapping.scenarios import SCENARIOS

TREE = Path(__file__).parents[2]


class Yaml(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT
    file_extension = "yaml"


@pytest.fixture(scope="module")
def host() -> dict:
    """What a host's exporters got of each scenario."""
    command = [sys.executable, "-W", "error", "-m", "tests.mapping.host"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TREE), str(TREE / "src")])}
    ended = subprocess.run(command, cwd=TREE, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    said = ended.stderr.splitlines()
    assert len(said) == len(SCENARIOS), ended.stderr
    assert all(line.startswith("synapse-otel: ") for line in said)
    return json.loads(ended.stdout)


def without_markers_of_steps(spans: list[dict]) -> list[dict]:
    """Leave out what a host's exporter gets at once, and the shipper does not send of a step that has ended."""
    kept = []
    for span in spans:
        attributes = span["attributes"]
        if semconv.SPAN_MARKER not in attributes or semconv.ACTION in attributes:
            children = without_markers_of_steps(span.pop("children", []))
            kept.append({**span, "children": children} if children else span)
    return kept


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_our_own_recorder_sends(name, snapshot):
    assert text(run(name)) == snapshot(extension_class=Yaml)


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "secrets"])
def test_a_hosts_sdk_gets_the_same_spans_and_records(name, host):
    ours = run(name)
    for log in ours["logs"]:
        assert log["attributes"].pop("log.record.uid")
    assert text(timeless(without_markers_of_steps(host[name]["spans"]))) == text(timeless(ours["spans"]))
    assert text(timeless(host[name]["logs"])) == text(timeless(ours["logs"]))


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_a_hosts_meter_provider_gets(name, host, snapshot):
    assert text(host[name]["metrics"]) == snapshot(extension_class=Yaml)


def test_secrets_never_reach_the_journal():
    assert "hunter2" not in json.dumps(run("secrets"))
