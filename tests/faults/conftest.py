"""A sink, a journal folder, and an end for every shipper that a test has started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.running import Place
from tests.runs.ports import free_port
from tests.sink import Sink


@pytest.fixture
def place(tmp_path: Path, sink: Sink) -> Iterator[Place]:
    """Journals that go to the sink."""
    found = Place(tmp_path / "journals", sink.url)
    yield found
    found.end()


@pytest.fixture
def nowhere(tmp_path: Path) -> Iterator[Place]:
    """Journals that go to a port where nobody listens."""
    found = Place(tmp_path / "journals", f"http://127.0.0.1:{free_port()}")
    yield found
    found.end()
