"""What can go wrong with containers.

ContainersError
├── NoEngineError  no Docker engine can run on this machine: the reason, in one line
└── CommandError   a command of Docker's failed: the command and what it said
"""


class ContainersError(Exception):
    """Base of everything below."""


class NoEngineError(ContainersError):
    """No Docker engine can run on this machine."""


class CommandError(ContainersError):
    """A command of Docker's failed."""
