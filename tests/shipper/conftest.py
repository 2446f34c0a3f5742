"""A receiver, and a journal whose records go to it."""

from __future__ import annotations

import pytest

from synapse_otel.journal import creation
from synapse_otel.journal.creation import create_journal


@pytest.fixture
def journal(tmp_path):
    made, _ = create_journal(tmp_path, "run", {}, destination="key", budget=1 << 26)
    yield made
    made.close()


@pytest.fixture
def out_of_sight(monkeypatch):
    """Have journals written as by a process that is not to be seen: the test's own lives on when it is to be dead."""
    monkeypatch.setattr(creation, "birth", lambda: "")
