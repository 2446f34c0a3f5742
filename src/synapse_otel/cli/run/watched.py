"""The journals of the processes that a ``synapse-otel run`` watches, and telling them how the command ended."""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock
from typing import Final

from synapse_otel.cli.codes import SIGNALLED
from synapse_otel.cli.run.child import Status, signal_name
from synapse_otel.journal.folder import Exit, Run, read_exit, read_run, run_folders, write_exit
from synapse_otel.runs import RunState, run_state
from synapse_otel.runs.runs import NAME_END

WATCHED_VARIABLE: Final = "SYNAPSE_OTEL_WATCHED_BY"


def new_token(name: str) -> str:
    """Return the token of a new ``run`` in its journals, which includes the name that it was given, if any."""
    return f"{name}{NAME_END}{secrets.token_hex(8)}"


class Watched:
    """The journals, wherever below the roots, whose processes have been given a token."""

    def __init__(self, token: str, roots: Iterable[Path]) -> None:
        self._token = token
        self._roots = list(roots)
        self._runs: dict[Path, Run] = {}
        self._others: set[Path] = set()
        self._lock = Lock()

    def journals(self) -> dict[Path, Run]:
        """Return the journals there are now, the oldest first; any thread may ask."""
        with self._lock:
            for root in self._roots:
                for folder in run_folders(root, self._others | self._runs.keys()):
                    run = read_run(folder)
                    if run is not None and run.watched == self._token:
                        self._runs[folder] = run
                    elif run is not None:
                        self._others.add(folder)
            return dict(self._runs)

    def tell(self, pid: int, status: Status, stderr: list[str], failed: Callable[[OSError], None]) -> None:
        """Write how the command ended into the journals of all ended processes, so that no shipper waits for it.

        Only the end of the command's own process is known. There is one exception: the command is a shell, and its exit
        status names the signal that ended its only child.
        """
        runs = self.journals()
        states = {folder: state for folder in runs if (state := _state(folder, failed))}
        gone = [folder for folder, state in states.items() if not state.lives]
        own = [folder for folder in gone if runs[folder].process == pid]
        killed = [folder for folder in gone if folder not in own and states[folder] is RunState.CRASHED]
        reported = _reported_signal(status) if len(killed) == 1 else ""
        now = time.time()
        of_command = Exit(status.code, status.signal_name, status.core, stderr, now)
        of_other = Exit(None, reported, stderr=stderr if reported else [], time=now)
        for folder in gone:
            try:
                if read_exit(folder) is None:
                    write_exit(folder, of_command if folder in own else of_other)
            except OSError as error:
                failed(error)


def _state(folder: Path, failed: Callable[[OSError], None]) -> RunState | None:
    try:
        return run_state(folder)
    except OSError as error:
        failed(error)
        return None


def _reported_signal(status: Status) -> str:
    """Return the name of the signal in a shell's exit status."""
    number = (status.code or 0) - SIGNALLED
    return signal_name(number) if number in signal.valid_signals() else ""
