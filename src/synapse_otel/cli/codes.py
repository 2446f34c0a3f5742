"""The exit codes of the commands; docs/commands.md has them as a table."""

from __future__ import annotations

from typing import Final

PENDING: Final = 1
"""Not everything is delivered."""
UNHEALTHY: Final = 1
"""A check of the doctor failed."""
USAGE_ERROR: Final = 2
"""A setting, an argument, or a folder is wrong."""
SHIPPING_ALREADY: Final = 3
"""Another shipper delivers to the destination."""
NOT_RUNNABLE: Final = 126
"""The command of ``run`` is there and cannot be run."""
NOT_FOUND: Final = 127
"""The command of ``run`` is not there."""
SIGNALLED: Final = 128
"""Plus the number of the signal: a shell's words for a command that a signal has ended."""
