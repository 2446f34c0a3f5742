"""Reports readiness to a supervisor: a file, and systemd's datagram (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

from synapse_otel.cli.lines import tell

_SOCKET_VARIABLE: Final = "NOTIFY_SOCKET"
_ABSTRACT: Final = "@"


class Readiness:
    """Reports that the process is ready, and that it no longer is."""

    def __init__(self, ready_file: Path | None) -> None:
        self._file = ready_file

    def announce(self) -> None:
        """Report that it is ready.

        Raises:
            OSError: the file cannot be written.
        """
        if self._file is not None:
            self._file.write_text(f"{os.getpid()}\n")
        _notify("READY=1")

    def withdraw(self) -> None:
        """Report that it is about to end."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)
        _notify("STOPPING=1")


def _notify(state: str) -> None:
    address = os.environ.get(_SOCKET_VARIABLE)
    if not address:
        return
    if address.startswith(_ABSTRACT):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as supervisor:
            supervisor.sendto(state.encode(), address)
    except OSError as error:
        tell(f"{_SOCKET_VARIABLE}: {error.strerror or error}")
