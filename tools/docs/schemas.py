"""JSON Schemas of what commands print with ``--json``, from the structures that they print."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from synapse_otel.cli.doctor import DoctorJson
from synapse_otel.cli.jobs.as_json import RunJson
from synapse_otel.verify.report import RunReport, Signals
from tools.docs.blocks import ROOT

FOLDER: Final = ROOT / "docs" / "schemas"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE: Final = "#/$defs/{name}"


def schemas() -> dict[str, dict[str, Any]]:
    """Return the schema of each command."""
    return {
        "jobs": _whole("jobs --json: a run, or a list of runs", RunJson | list[RunJson]),
        "doctor": _whole("doctor --json", DoctorJson),
        "verify": _verify(),
    }


def schema_files() -> Iterator[tuple[Path, str]]:
    """Yield path and text of each schema."""
    for name, schema in schemas().items():
        yield FOLDER / f"{name}.schema.json", json.dumps(schema, indent=2, sort_keys=True) + "\n"


def _whole(title: str, structure: Any) -> dict[str, Any]:
    return {"$schema": _DIALECT, "title": title, **msgspec.json.schema(structure)}


def _verify() -> dict[str, Any]:
    """Return the schema of a run's report, or of several with their sums."""
    (run, total), parts = msgspec.json.schema_components((RunReport, Signals), ref_template=_REFERENCE)
    report = parts["RunReport"]
    for name, said in (("complete", "Nothing is missing or different."), ("verified", "All could be verified.")):
        report["properties"][name] = {"type": "boolean", "description": said}
        report["required"] = [*report["required"], name]
    several = {
        "type": "object",
        "properties": {"runs": {"type": "array", "items": run}, "total": total},
        "required": ["runs", "total"],
    }
    title = "verify --json: a run; with --since runs and their sums"
    return {"$schema": _DIALECT, "title": title, "anyOf": [run, several], "$defs": parts}
