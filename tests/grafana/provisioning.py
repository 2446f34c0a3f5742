"""What Grafana is given in grafana/provisioning/, read as Grafana reads it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from tests.grafana.asking import FOLDER

ROOT = FOLDER.parents[1]
PROVISIONING = ROOT / "grafana" / "provisioning"
LOKI_PROVISIONING = ROOT / "grafana" / "loki" / "provisioning"


def loaded(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def sources(provisioning: Path = PROVISIONING) -> dict[str, dict[str, Any]]:
    """Return the data sources by their uid."""
    declared = loaded(provisioning / "datasources" / "datasources.yaml")["datasources"]
    return {each["uid"]: each for each in declared}


def source(uid: str, provisioning: Path = PROVISIONING) -> dict[str, Any]:
    return dict(sources(provisioning)[uid]["jsonData"])


def plain(text: str) -> str:
    """Return a text of the provisioning as Grafana reads it: two dollar signs are one."""
    assert not re.search(r"(?<!\$)\$(?!\$)", text), f"{text}: Grafana would put an environment's variable in"
    return text.replace("$$", "$")
