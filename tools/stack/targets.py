"""The folder that Prometheus reads: the files of collector/, and where this stack has what it scrapes."""

from __future__ import annotations

import json
from pathlib import Path

from tools.stack.ports import LOOPBACK, Ports

_TIERS = ("agent", "gateway")


def lay_out_prometheus(folder: Path, configuration: Path, ports: Ports) -> Path:
    """Make `folder` with links to prometheus.yaml and its rules, and lists of targets; return the former's path.

    Prometheus looks for what its configuration names beside it, and expands no variables: the ports of those whose own
    metrics it reads are in files of their own.
    """
    targets = folder / "targets"
    targets.mkdir(parents=True, exist_ok=True)
    listed = [{"targets": [f"{LOOPBACK}:{ports[f'{tier}_metrics']}"], "labels": {"tier": tier}} for tier in _TIERS]
    (targets / "collectors.json").write_text(json.dumps(listed, indent=2), encoding="utf-8")
    log_store = [{"targets": [f"{LOOPBACK}:{ports['victorialogs']}"]}]
    (targets / "victorialogs.json").write_text(json.dumps(log_store, indent=2), encoding="utf-8")
    for name in ("prometheus.yaml", "alerts"):
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(configuration / name)
    return folder / "prometheus.yaml"
