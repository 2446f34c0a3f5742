"""The fixture `stack`: Collector, Jaeger, Prometheus, VictoriaLogs, started once for the whole test session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools.stack.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give the running stack; tests share it, so each looks only for what it sent."""
    with Stack(directory=tmp_path_factory.mktemp("stack")) as running:
        yield running
