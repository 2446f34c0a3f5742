"""What docs/dashboards.md has of each dashboard: its panels and what they mean, as the dashboard itself says it."""

from __future__ import annotations

from collections.abc import Callable

from grafana_foundation_sdk.models.dashboard import Dashboard

from tools.docs.markdown import table
from tools.grafana.boards import panels_of
from tools.grafana.files import DASHBOARDS
from tools.grafana.log_store import LogStore
from tools.grafana.victorialogs import VICTORIALOGS

_SOURCES = {"prometheus": "Prometheus", VICTORIALOGS.source.uid: VICTORIALOGS.title, "jaeger": "Jaeger"}


def blocks() -> dict[str, Callable[[], str]]:
    """Return the generators of the page's blocks, by name."""
    return {f"dashboard-{name}": _block(make) for name, make in DASHBOARDS.items()}


def _block(make: Callable[[LogStore], Dashboard]) -> Callable[[], str]:
    return lambda: _panels(make(VICTORIALOGS))


def _panels(dashboard: Dashboard) -> str:
    rows = [
        (panel.title or "", _SOURCES[panel.datasource.uid or ""] if panel.datasource else "", panel.description or "")
        for panel in panels_of(dashboard)
    ]
    return table(("panel", "from", "what it means, what to do"), rows)
