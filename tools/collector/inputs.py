"""The files of collector/ that a tier reads, as parsed YAML; variables stay as they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

COLLECTOR: Final = Path(__file__).parents[2] / "collector"
TIERS: Final = {"agent": ("agent.yaml",), "gateway": ("gateway.yaml", "routes.yaml")}
"""By tier: its values of `--config`, in order."""

Tree = dict[str, Any]


def tier_configuration(tier: str, folder: Path = COLLECTOR) -> Tree:
    """Return what a tier's files say together: maps merge, anything else is taken from the last one."""
    whole: Tree = {}
    for name in TIERS[tier]:
        whole = merged(whole, yaml.safe_load((folder / name).read_text(encoding="utf-8")))
    return whole


def merged(first: Tree, second: Tree) -> Tree:
    """Return two configurations as the Collector merges them."""
    result = dict(first)
    for key, value in second.items():
        before = result.get(key)
        result[key] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return result


def fragments(folder: Path = COLLECTOR) -> dict[str, str]:
    """Return the text of each file in fragments/, by name."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((folder / "fragments").glob("*.yaml"))}
