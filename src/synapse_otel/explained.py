"""Which check of ``synapse-otel doctor`` explains an error: every line that tells of one names it."""

from __future__ import annotations

from enum import StrEnum


class Check(StrEnum):
    """The checks, in the order in which a record travels."""

    ENVIRONMENT = "environment"
    """Versions, instrumentations, who sets the providers."""
    SETTINGS = "settings"
    """Each that is not the default, where it came from, and what is wrong with it."""
    JOURNAL = "journal"
    """The folder: whether it can be written, and the room in it."""
    RUNS = "runs"
    """What waits, what was dropped, who delivers it, which runs were killed."""
    ENDPOINT = "endpoint"
    """Each of them, by sending a probe."""


def explained_by(check: Check) -> str:
    """Return what an error's line ends with."""
    return f"`synapse-otel doctor {check}` tells more"
