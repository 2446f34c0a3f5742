"""What the real Collectors say of configuration files: whether they are valid, and what they come to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tools.collector.inputs import COLLECTOR
from tools.collector.versions import SHIPPED
from tools.stack.build import build


def validate(
    configs: Sequence[str | Path], environment: Mapping[str, str] | None = None, program: str = SHIPPED
) -> None:
    """Let the Collector check its configuration; AssertionError with what it says where it refuses."""
    _otelcol(program, "validate", configs, environment or {})


def resolved(
    configs: Sequence[str | Path], environment: Mapping[str, str] | None = None, program: str = SHIPPED
) -> dict[str, Any]:
    """Return the configuration as the Collector has it after merging its files and putting in all variables."""
    printed = yaml.safe_load(_otelcol(program, "print-config", configs, environment or {}))
    assert isinstance(printed, dict)
    return printed


def _otelcol(program: str, command: str, configs: Sequence[str | Path], environment: Mapping[str, str]) -> str:
    binary = build([program])[program] / "otelcol"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COLLECTOR_")}
    ended = subprocess.run(
        [str(binary), command, *(f"--config={config}" for config in configs)],
        env={**clean, "COLLECTOR_CONFIG_DIR": str(COLLECTOR), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr or ended.stdout
    return ended.stdout
