"""docs/coming-from.md: both sides of each comparison run, have ten lines, and record the same values.

The sides of other libraries run where their environment has been laid out: `make bench NAME=peers` does that.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import peers
from synapse_otel import read
from tests.docs.examples import TREE, Block, blocks_of, run

pytestmark = pytest.mark.once

PAGE = TREE / "docs" / "coming-from.md"
TOOLS = ("wandb", "mlflow", "tensorboard", "opentelemetry")
LOSSES = [0.1, 0.05, 0.1 / 3]
PARAMS = {"lr": 0.1, "epochs": 3}
PINNED = {"wandb": "wandb", "MLflow": "mlflow", "tensorboardX": "tensorboardx", "OpenTelemetry": "opentelemetry-sdk"}
"""What the page calls a library, and what the pins call it."""

_READ_MLFLOW = """
import json, mlflow
(found,) = mlflow.search_runs(experiment_names=["yolo"], output_format="list")
losses = mlflow.MlflowClient().get_metric_history(found.info.run_id, "loss")
print(json.dumps({"name": found.info.run_name, "params": found.data.params, "losses": [one.value for one in losses]}))
"""


def programs() -> dict[str, Block]:
    found = blocks_of(PAGE.read_text(encoding="utf-8"))
    return {block.name: block for block in found if block.language == "python"}


def write(folder: Path, name: str) -> str:
    (folder / name).write_text(programs()[name].text, encoding="utf-8")
    return name


def test_the_page_has_both_sides_of_each_tool() -> None:
    assert set(programs()) == {f"{side}_{tool}.py" for side in ("before", "after") for tool in TOOLS} | {"wrapped.py"}


@pytest.mark.parametrize("name", sorted(set(programs()) - {"wrapped.py"}))
def test_each_side_has_ten_lines(name: str) -> None:
    assert len([line for line in programs()[name].text.splitlines() if line.strip()]) == 10


def test_the_page_names_the_pinned_versions() -> None:
    pins = "\n".join((TREE / "constraints" / f"{name}.txt").read_text(encoding="utf-8") for name in ("peers", "dev"))
    page = PAGE.read_text(encoding="utf-8")
    for name, package in PINNED.items():
        version = next(line.split("==")[1].split()[0] for line in pins.splitlines() if line.startswith(f"{package}=="))
        assert f"{name} {version}" in page


@pytest.mark.parametrize("tool", TOOLS)
def test_our_side_records_the_run(tool: str, tmp_path: Path) -> None:
    run([sys.executable, "-W", "error", write(tmp_path, f"after_{tool}.py")], tmp_path)
    (found,) = read.runs(folder=tmp_path / "journals")
    category = "training" if tool in {"tensorboard", "opentelemetry"} else "train"
    assert (found.name, found.result, found.params) == ("baseline", "success", PARAMS)
    assert list(found.metrics()[category, "loss"].values) == LOSSES


def test_plain_opentelemetry_exports_the_last_value(tmp_path: Path) -> None:
    exported = documents(
        run(
            [
                *("opentelemetry-instrument", "--traces_exporter", "console", "--metrics_exporter", "console"),
                *("--logs_exporter", "none", sys.executable, write(tmp_path, "before_opentelemetry.py")),
            ],
            tmp_path,
        )
    )
    assert {one["name"] for one in exported if "name" in one} == {"train yolo", "save"}
    (metrics,) = (one["resource_metrics"] for one in exported if "resource_metrics" in one)
    (gauge,) = metrics[0]["scope_metrics"][0]["metrics"]
    assert [point["value"] for point in gauge["data"]["data_points"]] == LOSSES[-1:]


def test_instrumented_code_goes_through_the_journal_of_a_job_around_it(tmp_path: Path) -> None:
    write(tmp_path, "before_opentelemetry.py")
    run([sys.executable, write(tmp_path, "wrapped.py")], tmp_path)
    (found,) = read.runs(folder=tmp_path / "journals")
    (job,) = found.spans()
    assert [span.name for span in (job, job.children[0], job.children[0].children[0])] == 2 * ["train yolo"] + ["save"]
    assert not [name for _, name in found.metrics() if name == "loss"], "the page says that it draws no curve of these"
    exported = tmp_path / "run.json"
    run(["synapse-otel", "export", "wrapped", "--format", "otlp-json", "--output", exported.name], tmp_path)
    assert '"loss"' in exported.read_text(encoding="utf-8")


def documents(text: str) -> list[dict[str, Any]]:
    """Return the JSON documents that stand one after the other."""
    found, decode = [], json.JSONDecoder().raw_decode
    while text := text.lstrip():
        document, end = decode(text)
        found.append(document)
        text = text[end:]
    return found


@pytest.fixture
def peer() -> Path:
    """The interpreter of the environment with the pinned libraries of others."""
    python = peers.laid_out()
    if python is None:
        pytest.skip("not laid out here: `make bench NAME=peers` does it once, for these pins")
    return python


def run_theirs(python: Path, folder: Path, *arguments: str) -> str:
    """Run a program with the libraries of others, which are told to stay offline; return what it printed."""
    offline = {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment = {**os.environ, **offline, "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [str(python), *arguments]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    return ended.stdout


def test_the_side_of_wandb_runs(peer: Path, tmp_path: Path) -> None:
    run_theirs(peer, tmp_path, write(tmp_path, "before_wandb.py"))
    (written,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    losses = re.findall(rb"loss\x82\x01.([\d.]{3,19})", written.read_bytes(), re.DOTALL)  # a field's tag, its length
    assert sorted({float(loss) for loss in losses}, reverse=True) == LOSSES


def test_the_side_of_mlflow_runs(peer: Path, tmp_path: Path) -> None:
    run_theirs(peer, tmp_path, write(tmp_path, "before_mlflow.py"))
    stored = json.loads(run_theirs(peer, tmp_path, "-c", _READ_MLFLOW))
    assert stored == {"name": "baseline", "params": {"lr": "0.1", "epochs": "3"}, "losses": LOSSES}
    (report,) = tmp_path.glob("mlruns/*/*/artifacts/report.txt")
    assert report.read_text(encoding="utf-8") == "trained"


def test_the_side_of_tensorboard_runs(peer: Path, tmp_path: Path) -> None:
    run_theirs(peer, tmp_path, write(tmp_path, "before_tensorboard.py"))
    (written,) = tmp_path.glob("logs/yolo/baseline/events.*")
    for text in (b"training/loss", b"validation/loss", b"trained, loss 0.033"):
        assert text in written.read_bytes()
