"""The two versions of the Collector that are kept running, and the files that each takes of collector/."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

from tools.collector.inputs import COLLECTOR, TIERS

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
