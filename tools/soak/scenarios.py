"""Who is killed when: one seed, from the start of a job to what arrived of it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.destination_key import read_salt
from synapse_otel.journal.folder import run_folders
from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.configuration import ORDERS_VARIABLE, ShipperConfiguration
from tools.soak.checker import Found, check
from tools.soak.receiver import Receiver
from tools.soak.told import Told
from tools.soak.zygote import Zygote

_WITHIN_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.005


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one seed."""

    scenario: str
    seed: int
    found: Found
    recovery_seconds: float
    """From the last kill, or the last start of a shipper if that was later, until all was delivered."""


class Round:
    """One seed: its folder, its job, and the shippers that deliver it."""

    def __init__(self, seed: int, folder: Path, receiver: Receiver, zygote: Zygote) -> None:
        self.seed = seed
        self.scenario = list(SCENARIOS)[seed % len(SCENARIOS)]
        self.root = folder / "journals"
        self.error_type = "killed"
        self.since = 0.0
        self._told = folder / "told"
        self._receiver = receiver
        self._zygote = zygote
        self._chance = random.Random(seed)  # noqa: S311 - the same kill again for the same seed
        self._shipper: int | None = None

    def run(self) -> Outcome:
        """Kill, wait until all is delivered, and check."""
        self.root.mkdir(parents=True, mode=0o700)
        self._receiver.take_away(f"seed-{self.seed}")
        SCENARIOS[self.scenario](self)
        self._wait()
        seconds = time.monotonic() - self.since
        if self._shipper is not None:
            self._zygote.kill(self._shipper)
        folder = next(run_folders(self.root), None)
        arrived = self._receiver.take_away(f"seed-{self.seed}")
        found = check(Told.read(self._told), arrived, folder, self.error_type)
        if not found.wrong:
            shutil.rmtree(self.root.parent)
        return Outcome(self.scenario, self.seed, found, seconds)

    def _wait(self) -> None:
        """Wait until every journal is delivered; what is not so in time is found by the check."""
        deadline = time.monotonic() + _WITHIN_SECONDS
        while time.monotonic() < deadline:
            cursors = [read_cursor(folder, signal) for folder in run_folders(self.root) for signal in Signal]
            if all(cursor.complete for cursor in cursors):
                return
            time.sleep(_POLL_SECONDS)

    # --- what the scenarios are made of ----------------------------------------------------------------

    def kill_job(self, within_seconds: float) -> None:
        """Start the job, and kill it at a random moment: before it has begun, or while it records."""
        arguments = self.scenario, self.seed, self._told, self.root
        job = self._zygote.start("work", *arguments, variables=self._variables())
        if self._chance.random() > _BEFORE_IT_BEGINS:
            self._wait_for_begin()
        time.sleep(self._chance.uniform(0, within_seconds))
        self._zygote.kill(job)
        self.since = time.monotonic()

    def _wait_for_begin(self) -> None:
        deadline = time.monotonic() + _WITHIN_SECONDS
        while not (self._told.exists() and self._told.stat().st_size) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def kill_watched_job(self, within_seconds: float) -> None:
        """Start the job below ``synapse-otel run``, which sees it killed at a random moment, and ends like it."""
        arguments = self.scenario, self.seed, self._told, self.root
        watching = self._zygote.start("run", *arguments, variables=self._variables())
        self._wait_for_begin()
        time.sleep(self._chance.uniform(0, within_seconds))
        os.kill(Told.read(self._told).begun, signal.SIGKILL)
        self.since = time.monotonic()
        self._zygote.wait(watching)
        self.error_type = "SIGKILL"

    def start_shipper(self) -> None:
        """Start a shipper of this seed's journals."""
        configuration = self._configuration()
        variables = {ORDERS_VARIABLE: msgspec.json.encode(configuration).decode()}
        self._shipper = self._zygote.start("ship", variables=variables)
        self.since = max(self.since, time.monotonic())

    def kill_shipper(self, within_seconds: float) -> None:
        """Kill the shipper at a random moment."""
        time.sleep(self._chance.uniform(0, within_seconds))
        if self._shipper is not None:
            self._zygote.kill(self._shipper)
            self._shipper = None

    def sync(self) -> None:
        """Deliver what waits in one pass, as ``synapse-otel sync`` does."""
        self.since = time.monotonic()
        self._zygote.wait(self._zygote.start("sync", variables=self._variables()))

    def _variables(self) -> dict[str, str]:
        return {"SYNAPSE_OTEL_JOURNAL_DIR": str(self.root), "OTEL_EXPORTER_OTLP_ENDPOINT": self._receiver.url}

    def _configuration(self) -> ShipperConfiguration:
        url = self._receiver.url
        logs, metrics, traces = (Endpoint(url=f"{url}/v1/{name}") for name in ("logs", "metrics", "traces"))
        destination = Destination(logs=logs, metrics=metrics, traces=traces)
        key = destination.key(read_salt(self.root))
        return ShipperConfiguration(roots=[str(self.root)], destination=destination, key=key, interval_seconds=0.5)


# --- the scenarios -----------------------------------------------------------------------------------------

_BEFORE_IT_BEGINS: Final = 0.15
"""Share of the jobs that are killed while they begin, or soon afterwards; all others only when they record."""
_JOB_SECONDS: Final = 0.3
_SHIPPER_SECONDS: Final = 0.6
_NOTICE_SECONDS: Final = 0.8
"""A little more than a shipper takes to notice a death and to recover."""


def _with_shipper(one: Round) -> None:
    one.start_shipper()
    one.kill_job(_JOB_SECONDS)


def _during_recovery(one: Round) -> None:
    one.kill_job(_JOB_SECONDS)
    one.start_shipper()
    one.kill_shipper(_SHIPPER_SECONDS)
    one.start_shipper()


def _twice(one: Round) -> None:
    one.start_shipper()
    one.kill_job(_JOB_SECONDS)
    one.kill_shipper(_NOTICE_SECONDS)
    one.start_shipper()


def _absent(one: Round) -> None:
    one.kill_job(_JOB_SECONDS)
    one.sync()


def _watched(one: Round) -> None:
    one.start_shipper()
    one.kill_watched_job(_JOB_SECONDS)


SCENARIOS: Final[dict[str, Callable[[Round], None]]] = {
    "plain": _with_shipper,
    "rotation": _with_shipper,
    "sync": _with_shipper,
    "recovery": _during_recovery,
    "twice": _twice,
    "absent": _absent,
    "watched": _watched,
}
"""By name: what happens to a job and its shippers. A seed's scenario is the seed modulo their number."""
