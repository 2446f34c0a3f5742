"""What a user installs: the wheel, built from the source archive, in an environment that holds nothing else."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from synapse_otel._version import __version__
from tests.sink import Sink, body
from tests.sink_grpc import GrpcSink
from tests.wheels import TREE, Built, built_once, environment, install, run

pytestmark = pytest.mark.once

ASK = """
import importlib.metadata, json, synapse_otel
own = importlib.metadata.distribution("synapse-otel")
commands = [point for point in own.entry_points if point.group == "console_scripts"]
print(json.dumps({
    "version": own.version,
    "entry_points": sorted([point.group, point.name, point.value] for point in own.entry_points),
    "commands": [callable(point.load()) for point in commands],
    "job": callable(synapse_otel.job),
    "installed_at": synapse_otel.__file__,
}))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built_once(tmp_path_factory)


@pytest.fixture(scope="module")
def clean_python(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    python = environment(tmp_path_factory.mktemp("clean") / "venv")
    install(python, "--require-hashes", "-r", TREE / "constraints" / "runtime.txt")
    install(python, "--no-deps", built.wheel)
    return python


@pytest.fixture(scope="module")
def answer(clean_python: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(clean_python, "-I", "-W", "error", "-c", ASK, cwd=clean_python.parent))
    return found


def test_installed_package_stands_alone(answer: dict[str, Any], clean_python: Path) -> None:
    assert answer["version"] == __version__
    assert Path(answer["installed_at"]).is_relative_to(clean_python.parents[1])
    assert answer["job"]


def test_entry_points_are_installed_and_the_command_loads(answer: dict[str, Any]) -> None:
    assert answer["entry_points"] == [
        ["console_scripts", "synapse-otel", "synapse_otel.cli:main"],
        ["opentelemetry_instrumentor", "synapse_sdk", "synapse_otel.integrations.synapse_sdk:SynapseInstrumentor"],
        ["pytest11", "synapse_otel", "synapse_otel.testing"],
    ]
    assert answer["commands"] == [True]


def test_pinned_versions_satisfy_the_declared_ranges(clean_python: Path) -> None:
    run(find_uv_bin(), "pip", "check", "--python", clean_python)


DELIVER = """
import synapse_otel
with synapse_otel.job("train", plugin="yolo", job_id="job") as ctx:
    ctx.set_progress(1, 2, "training")
    ctx.set_metrics({"loss": 0.5}, "training")
    ctx.log("checkpoint", {"epoch": 1})
    ctx.log_message("delivered")
"""


@pytest.mark.parametrize("resolution", ["lowest-direct", "highest"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_the_oldest_and_the_newest_libraries_that_are_allowed_deliver_and_show(
    built: Built, environments: dict[str, Path], tmp_path: Path, resolution: str, protocol: str
) -> None:
    python = environments[resolution]
    with Sink() as http, GrpcSink() as grpc:
        sink = http if protocol == "http/protobuf" else grpc
        variables = {
            **os.environ,
            "SYNAPSE_OTEL_JOURNAL_DIR": str(tmp_path),
            "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "SYNAPSE_OTEL_SHIPPER": "off",
        }

        def ended(*command: str) -> str:
            found = subprocess.run(
                [python, "-W", "error::DeprecationWarning:synapse_otel", *command],
                cwd=tmp_path,
                env=variables,
                capture_output=True,
                text=True,
                check=False,
            )
            assert found.returncode == 0, found.stdout + found.stderr
            return found.stdout

        ended("-c", DELIVER)
        assert "pending 0" in ended("-m", "synapse_otel", "sync")
        assert "delivered" in [body(record) for record in sink.logs()]
        [run_] = json.loads(ended("-m", "synapse_otel", "jobs", "--json"))
        assert run_["jobs"][0]["result"] == "success"
        assert "checkpoint" in ended("-m", "synapse_otel", "show", "job")
        ended("-m", "synapse_otel", "export", "job", "-o", str(tmp_path / "run.html"))
    assert (tmp_path / "run.html").read_text().startswith("<!doctype html>")


@pytest.fixture(scope="module")
def environments(built: Built, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Environments with the wheel, and with the oldest and the newest versions that pyproject.toml allows."""
    made = {}
    for resolution in ("lowest-direct", "highest"):
        folder = tmp_path_factory.mktemp(resolution)
        python = environment(folder / "venv")
        wanted = folder / "requirements.txt"
        compile_ = ("pip", "compile", "--resolution", resolution, "--only-binary", ":all:", "--python", python)
        run(find_uv_bin(), *compile_, "--no-emit-index-url", "--extra", "grpc", "pyproject.toml", "-o", wanted)
        install(python, "--only-binary", ":all:", "-r", wanted)
        install(python, "--no-deps", built.wheel)
        made[resolution] = python
    return made
