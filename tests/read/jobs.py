"""Jobs to be read back: ``python jobs.py NAME`` runs one of them."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import Any

import synapse_otel
from synapse_otel.loggers import NoOpLogger

EVIL = "<script>alert(1)</script>"
PARAMS: dict[str, dict[str, Any]] = {
    "small": {"lr": 1, "deep": True, "optimizer": {"name": "sgd"}},
    "large": {"lr": 0.5, "deep": False, "layers": 1 << 40, "prompt": "p" * 500},
    "failing": {"lr": 0.25},
    "killed": {"lr": 0.125},
}


def main(name: str) -> None:
    """Run a job."""
    tags = ["base", *(["gpu"] if name == "large" else [])]
    with (
        suppress(RuntimeError),
        synapse_otel.job(
            "train",
            plugin="yolo",
            version="1.2",
            name=name,
            tags=tags,
            notes=EVIL,
            params=PARAMS[name],
            logger=NoOpLogger(),
        ) as ctx,
    ):
        for epoch in range(3):
            ctx.set_metrics({"loss": 1 / (epoch + 1), EVIL: epoch}, category="training")
            ctx.set_progress(epoch + 1, 4)
        ctx.log_message(f"{name} {EVIL}", "warning", category="training")
        ctx.log("saved", {"size": {"mb": 3}})
        if name == "failing":
            raise RuntimeError(EVIL)
        if name == "killed":
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])
