"""What tests of commands share."""

from __future__ import annotations

from tests.runs.conftest import failure, killed, many, success

__all__ = ["failure", "killed", "many", "success"]
