"""What the real Collector says of configuration files: whether they are valid, and what they come to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tools.collector.inputs import COLLECTOR, TIERS
from tools.stack.build import build


def files(tier: str, folder: Path = COLLECTOR) -> list[str]:
    """Return a tier's values of `--config`."""
    return [str(folder / name) for name in TIERS[tier]]


def validate(configs: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
    """Let the Collector check its configuration; AssertionError with what it says where it refuses."""
    _otelcol("validate", configs, environment or {})


def resolved(configs: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the configuration as the Collector has it after merging its files and putting in all variables."""
    printed = yaml.safe_load(_otelcol("print-config", configs, environment or {}))
    assert isinstance(printed, dict)
    return printed


def _otelcol(command: str, configs: Sequence[str | Path], environment: Mapping[str, str]) -> str:
    program = build(["collector"])["collector"] / "otelcol"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COLLECTOR_")}
    ended = subprocess.run(
        [str(program), command, *(f"--config={config}" for config in configs)],
        env={**clean, "COLLECTOR_CONFIG_DIR": str(COLLECTOR), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr or ended.stdout
    return ended.stdout
