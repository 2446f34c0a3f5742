"""The rules of collector/alerts/ in a hurry: a real Prometheus that evaluates all of them each second."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.collector.prometheuses import COLLECTOR

ALERTS = COLLECTOR / "alerts"


def hurried(folder: Path, thresholds: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return prometheus.yaml as it is, but that all happens each second; its rules are laid into `folder`.

    `thresholds` says what to write instead of a text in the rules; each must be there.
    """
    shutil.copytree(ALERTS, folder / "alerts")
    missing = set(thresholds or {})
    for path in (folder / "alerts").glob("*.rules.yaml"):
        text = re.sub("interval: [0-9]+[sm]", "interval: 1s", path.read_text(encoding="utf-8"))
        for old, new in (thresholds or {}).items():
            if old in text:
                missing.discard(old)
                text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
    assert not missing, missing
    stock: dict[str, Any] = yaml.safe_load((COLLECTOR / "prometheus.yaml").read_text(encoding="utf-8"))
    return stock | {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}}
