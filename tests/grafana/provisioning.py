"""What Grafana is given in grafana/provisioning/, read as Grafana reads it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from tests.grafana.asking import FOLDER

ROOT = FOLDER.parents[1]
PROVISIONING = ROOT / "grafana" / "provisioning"


def loaded(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def source(uid: str) -> dict[str, Any]:
    sources = loaded(PROVISIONING / "datasources" / "datasources.yaml")["datasources"]
    (found,) = [each for each in sources if each["uid"] == uid]
    return dict(found["jsonData"])


def plain(text: str) -> str:
    """Return a text of the provisioning as Grafana reads it: two dollar signs are one."""
    assert not re.search(r"(?<!\$)\$(?!\$)", text), f"{text}: Grafana would put an environment's variable in"
    return text.replace("$$", "$")
