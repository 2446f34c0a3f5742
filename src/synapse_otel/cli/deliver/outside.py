"""Delivering what watched processes record, from outside of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from threading import Event, Thread
from typing import Final

from synapse_otel.cli.run.watched import Watched
from synapse_otel.journal.account import Account, account_of
from synapse_otel.journal.cursor import Cursor, read_cursor
from synapse_otel.journal.destination_key import read_salt
from synapse_otel.journal.liveness import is_alive
from synapse_otel.notices import Check, explained_by
from synapse_otel.otlp.destination import Destination
from synapse_otel.runs import emitted_records
from synapse_otel.semconv.signal import Signal
from synapse_otel.settings import Settings
from synapse_otel.shipper.configuration import ShipperConfiguration

_LOOK_SECONDS: Final = 0.5
_POLL_SECONDS: Final = 0.02
_LEAVE_SECONDS: Final = 0.3


class Delivery:
    """Delivers the watched journals: by the shipper's process, or, without one, by a thread of this process.

    It does nothing before there is a journal: a command without records costs nothing.
    """

    def __init__(
        self, settings: Settings, destination: Destination, watched: Watched, tell: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._destination = destination
        self._watched = watched
        self._tell = tell
        self._over = Event()
        self._ended = Event()
        self._told: set[str] = set()
        self._thread = Thread(target=self._see_to_it, name="delivery", daemon=True)

    def start(self) -> None:
        """Begin to look for journals."""
        self._thread.start()

    def wait(self, seconds: float, interrupted: Callable[[float], bool]) -> Account | None:
        """Wait until all records of ended processes are delivered; return None if there are none.

        Without `start` nothing is delivered, and it does not wait.

        Args:
            seconds: maximum time; it stops earlier if a request fails.
            interrupted: waits for so many seconds, and returns whether the user wants to end now.
        """
        deadline = time.monotonic() + seconds
        self._ended.set()
        folders = list(self._watched.journals())
        if not folders:
            return None
        begin = _cursors(folders)
        delivers = self._thread.is_alive()
        if delivers and self._settings.shipper == "process" and self._waits(folders, begin):
            self._ensure()
        while (
            delivers and self._waits(folders, begin) and time.monotonic() < deadline and not interrupted(_POLL_SECONDS)
        ):
            continue
        return account_of(folders, sum(emitted_records(folder) for folder in folders))

    def end(self) -> None:
        """Release the journals; the next shipper repeats requests that a thread here has not finished."""
        self._ended.set()
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(_LEAVE_SECONDS)

    @staticmethod
    def _waits(folders: list[Path], begin: dict[tuple[Path, Signal], Cursor]) -> bool:
        return any(
            not cursor.complete
            and not (cursor.failure and cursor.attempts > begin[place].attempts)
            and not is_alive(place[0])
            for place, cursor in _cursors(folders).items()
        )

    def _see_to_it(self) -> None:
        try:
            while not self._watched_any():
                if self._ended.wait(_LOOK_SECONDS) and not self._watched_any():
                    return  # without having recorded anything
            if self._settings.shipper != "process":
                self._deliver()
            while not self._over.wait(_LOOK_SECONDS):
                self._ensure()  # a shipper that was killed is followed by another
        except Exception as error:  # noqa: BLE001 - the command goes on without it, and its records wait
            self._say(f"no delivery from this process: {type(error).__name__}: {error}; {explained_by(Check.RUNS)}")

    def _watched_any(self) -> bool:
        return bool(self._watched.journals())

    def _ensure(self) -> None:
        from synapse_otel.runtime.shipping import ensure_shipping

        try:
            ensure_shipping(self._configuration)
        except Exception as error:  # noqa: BLE001 - however it fails, the command's end is told, and its records wait
            text = f"no shipper could be started ({error}); `synapse-otel sync` delivers what is pending"
            self._say(f"{text}; {explained_by(Check.RUNS)}")

    def _deliver(self) -> None:
        from synapse_otel.shipper.service import Shipper

        shipper = Shipper(self._configuration, self._say)
        running = Thread(target=shipper.run, kwargs={"idle_seconds": None}, name="shipper", daemon=True)
        running.start()
        self._over.wait()
        shipper.stop_soon()
        running.join(_LEAVE_SECONDS)

    def _say(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self._tell(line)

    @cached_property
    def _configuration(self) -> ShipperConfiguration:
        from synapse_otel.runtime.shipping import shipper_configuration

        key = self._destination.key(read_salt(self._settings.journal_dir))
        return shipper_configuration(self._settings, self._destination, key)


def _cursors(folders: list[Path]) -> dict[tuple[Path, Signal], Cursor]:
    return {(folder, signal): read_cursor(folder, signal) for folder in folders for signal in Signal}
