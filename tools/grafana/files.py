"""The dashboards, for each log store, and each as the text of its file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tools.grafana.job import dashboard as job
from tools.grafana.jobs import dashboard as jobs
from tools.grafana.log_store import LogStore
from tools.grafana.loki import LOKI
from tools.grafana.pipeline import dashboard as pipeline
from tools.grafana.plugin import dashboard as plugin
from tools.grafana.victorialogs import VICTORIALOGS

_GRAFANA: Final = Path(__file__).parents[2] / "grafana"

FOLDERS: Final[dict[Path, LogStore]] = {
    _GRAFANA / "dashboards": VICTORIALOGS,
    _GRAFANA / "loki" / "dashboards": LOKI,
}
"""By the folder of the files: the log store that they ask."""

DASHBOARDS: Final[dict[str, Callable[[LogStore], Dashboard]]] = {
    "jobs": jobs,
    "job": job,
    "plugin": plugin,
    "pipeline": pipeline,
}
"""By the name of its file."""


def read_back(text: str) -> str:
    """Return a file's text as Grafana's own types understand it: the same, if they know all that it says."""
    register_default_plugins()
    return _text(Dashboard.from_json(json.loads(text)))


def texts() -> dict[Path, str]:
    """Return each dashboard's file and its text."""
    return {
        folder / f"{name}.json": _text(make(store))
        for folder, store in FOLDERS.items()
        for name, make in DASHBOARDS.items()
    }


def _text(dashboard: Dashboard) -> str:
    return json.dumps(dashboard, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
