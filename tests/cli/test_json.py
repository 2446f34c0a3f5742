"""What commands print with ``--json`` is what docs/schemas says, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from synapse_otel import __version__
from synapse_otel.verify.report import RunReport, SignalReport, Signals
from tests.runs.runs import command
from tests.unpacking import unpack
from tests.upgrades.make import STORES
from tools.docs.schemas import schemas

pytestmark = pytest.mark.once


def strict(name: str) -> Draft202012Validator:
    """Return what also refuses a member that the schema does not name."""
    schema = schemas()[name]
    Draft202012Validator.check_schema(schema)
    for definition in schema["$defs"].values():
        if "properties" in definition:
            definition["additionalProperties"] = False
    return Draft202012Validator(schema)


def check(name: str, printed: str) -> Any:
    found = json.loads(printed)
    assert [error.message for error in strict(name).iter_errors(found)] == []
    return found


@pytest.fixture
def root(tmp_path):
    """Runs in each state: delivered, half delivered, pending, killed, damaged."""
    unpack(STORES / f"{__version__}.tar.xz", tmp_path)
    return tmp_path / "journals"


def test_jobs(root):
    listed = check("jobs", command(root, "jobs", "--json").stdout)
    assert {run["state"] for run in listed} == {"done", "crashed"}
    for run in listed:
        assert check("jobs", command(root, "jobs", run["run"], "--json").stdout)["run"] == run["run"]


def test_doctor(root):
    found = command(root, "doctor", "--json", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert check("doctor", found.stdout)["failures"]


@pytest.mark.parametrize("whole", [False, True])
def test_verify(capsys, whole):
    from synapse_otel.cli.verify import _say_json

    signals = Signals(logs=SignalReport(expected=2, missing=1, examples={"missing": ["a"]}, kept_away={"merged": 1}))
    reports = [RunReport(run="one", signals=signals, notes=["x"]), RunReport(run="two", signals=Signals())]
    _say_json(reports, whole=whole)
    assert check("verify", capsys.readouterr().out)
