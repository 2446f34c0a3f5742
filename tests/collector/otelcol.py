"""What the real Collectors say of configuration files: whether they are valid, and what they come to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from tools.collector.inputs import COLLECTOR, TIERS
from tools.stack.build import build

SHIPPED: Final = "collector"
"""The recipe of the version that docker-compose.yml and the Helm values run."""
NEWEST: Final = "collector-newest"
"""The recipe of the newest version; it lacks the routing connector."""


def files(tier: str, folder: Path = COLLECTOR) -> list[str]:
    """Return a tier's values of `--config`."""
    return [str(folder / name) for name in TIERS[tier]]


def files_for(program: str, tier: str, folder: Path) -> list[str]:
    """Return a tier's values of `--config` for one of the two versions; what it needs anew is written into `folder`."""
    if program == SHIPPED or tier != "gateway":
        return files(tier)
    for name in TIERS[tier]:
        (folder / name).write_text(without_routing((COLLECTOR / name).read_text(encoding="utf-8")), encoding="utf-8")
    return files(tier, folder)


def gateway_files(program: str, folder: Path) -> dict[str, list[Path]]:
    """Return what Stack takes as `files` for a gateway of one of the two versions."""
    folder.mkdir(exist_ok=True)
    return {"gateway": [Path(path) for path in files_for(program, "gateway", folder)]}


def without_routing(text: str) -> str:
    """Return a configuration with a `forward` in the place of each routing connector.

    Every pipeline behind a table then gets all that the table would look at.
    """
    configuration = yaml.safe_load(text.replace("routing/", "forward/"))
    if "connectors" in configuration:
        configuration["connectors"] = dict.fromkeys(configuration["connectors"])
    return yaml.safe_dump(configuration)


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
