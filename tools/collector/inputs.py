"""The files of collector/ that a tier reads, as parsed YAML; variables stay as they are written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml

COLLECTOR: Final = Path(__file__).parents[2] / "collector"
TIERS: Final = {"agent": ("agent.yaml",), "gateway": ("gateway.yaml", "routes.yaml")}
"""By tier: its values of `--config`, in order."""

Tree = dict[str, Any]

_VARIABLE: Final = re.compile(r"\$\{(?:env:)?([A-Z][A-Z0-9_]+):-([^{}]*)\}")


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


def variables(text: str) -> set[tuple[str, str]]:
    """Return each variable that a text reads, with its default.

    A default may be another variable, a former name; where that is only asked whether it is set, its default is null,
    and counts as empty.
    """
    found: set[tuple[str, str]] = set()
    while match := _VARIABLE.search(text):
        found.add((match[1], match[2].removeprefix("null")))
        text = text.replace(match[0], match[2])
    told = {name for name, default in found if default}
    return {(name, default) for name, default in found if default or name not in told}


def fragments(folder: Path = COLLECTOR) -> dict[str, str]:
    """Return the text of each file in fragments/, by name."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((folder / "fragments").glob("*.yaml"))}
