"""What a step returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class StepResult:
    """How a step went.

    Attributes:
        success: whether it did what it should.
        data: what it made.
        error: what went wrong.
        rollback_data: what its rollback needs.
        skipped: whether there was nothing to do.
        timestamp: when it ended.
    """

    success: bool = True
    data: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    rollback_data: dict[str, Any] = field(default_factory=dict)
    skipped: bool = False
    timestamp: datetime = field(default_factory=_now)
