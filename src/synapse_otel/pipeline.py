"""The way of everything in this process, wired once: providers, recorder, journal, shipper, account."""

from __future__ import annotations

import gc
import os
import secrets
import sys
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from synapse_otel.account import Account, account_of
from synapse_otel.contained import let_through
from synapse_otel.explained import Check, explained_by
from synapse_otel.journal.cursor import Cursor, read_cursor
from synapse_otel.journal.folder import read_run
from synapse_otel.journal.frames import Signal
from synapse_otel.journal.salt import read_salt
from synapse_otel.journal.writer import JournalWriter
from synapse_otel.otel_seam import unset_providers
from synapse_otel.recorder.install import Installed, install
from synapse_otel.recorder.recorder import RecorderOptions
from synapse_otel.recorder.resource import make_resource
from synapse_otel.settings import Settings, load_destination
from synapse_otel.shipper.destination import Destination
from synapse_otel.shipper.orders import Orders
from synapse_otel.shipper.replacing import silent_shipper
from synapse_otel.shipping import ensure_shipping, make_orders
from synapse_otel.signals import semconv
from synapse_otel.signals.instruments import BLOCK, record_with

if TYPE_CHECKING:
    from synapse_otel.shipper.shipper import Shipper

_POLL_SECONDS: Final = 0.01
_RESTART_SECONDS: Final = 1.0
_FEW_BLOCKS: Final = 1_000_000
"""Of memory, as Python counts them: a fifth of a second at most."""
_LOOK_SECONDS: Final = 2.0


def _collect_now() -> None:
    """Have the garbage collector look through all that was loaded now, not soon, in the middle of a call of the job's.

    Unless the process is so large that this would take long.
    """
    if gc.isenabled() and sys.getallocatedblocks() < _FEW_BLOCKS:
        gc.collect()


def say(line: str) -> None:
    """Tell the job's user something about its telemetry, once, on stderr."""
    # stderr may be closed, or be in the middle of a write that a signal's handler has come into.
    try:
        sys.stderr.write(f"synapse-otel: {line}\n")
    except Exception as error:  # noqa: BLE001 - as above
        let_through(error)


class Pipeline:
    """What `configure` sets up. A failure in it is said and counted; it never reaches the job."""

    def __init__(self, settings: Settings, *, id_generator: Any = None) -> None:
        self.settings: Final = settings
        self._thread: Shipper | None = None
        self._home: Path | None = None
        """Root of the journal for which a shipper's process was seen to."""
        self._look_again = 0.0
        self._process = os.getpid()
        self.installed: Installed | None = None
        if not settings.sdk_disabled and (unset_providers() or settings.host_providers != "only"):
            self.installed = install(
                RecorderOptions(
                    root=settings.journal_dir,
                    destination=self.key,
                    budget_bytes=settings.journal_budget,
                    keep=settings.journal_keep,
                    secret_words=settings.redact_keys,
                    watched=settings.watched_by or "",
                    self_telemetry=settings.self_telemetry,
                    own_scope=semconv.SCOPE_NAME,
                ),
                BLOCK,
                host=settings.host_providers,
                interval_seconds=settings.metric_export_interval / 1000,
                say=say,
                on_open=self._ship,
                id_generator=id_generator,
            )
        if self.installed is not None:
            record_with(self.installed.beside)
        if self.installed is not None and settings.shipper == "process":
            self.installed.recorder.on_look = self._look

    @cached_property
    def destination(self) -> Destination:
        """Where the journals are delivered to; a host that has set all providers exports on its own, and needs none."""
        return load_destination(self.settings)

    @cached_property
    def key(self) -> str:
        """What the destination is named by in the journals."""
        return self.destination.key(read_salt(self.settings.journal_dir))

    # --- runs ---------------------------------------------------------------------------------------

    def begin_run(self, name: str, attributes: Mapping[str, Any], parent: str = "") -> None:
        """Begin a journal for a run, or for a part of the run with the journal `parent`, with a resource of its own."""
        if self.installed is not None:
            given = {
                semconv.SERVICE_NAMESPACE: "synapse",
                semconv.SERVICE_INSTANCE_ID: secrets.token_hex(16),
                **attributes,
            }
            resource = make_resource(given)
            self.installed.recorder.begin_run(name, resource.attributes, given[semconv.SERVICE_INSTANCE_ID], parent)

    def join_run(self, name: str, attributes: Mapping[str, Any], parent: str) -> None:
        """Have what this process records belong to another one's run, with a journal of its own."""
        if self.installed is not None and self.installed.recorder.parent != parent:
            self.begin_run(name, attributes, parent)

    def close(self) -> None:
        """Close the journals; wait for their delivery only where this process is the one that delivers."""
        if self.settings.shipper == "thread":
            self.end_run()
        elif self.installed is not None:
            self.installed.foreign.collect()
            self.installed.recorder.close()

    @property
    def journal_id(self) -> str:
        """Id of the current run's journal; empty if there is none."""
        journals = self.installed.recorder.journals if self.installed else []
        return journals[0].run.journal if journals else ""

    def parent(self) -> Context:
        """Return the trace context that this process was started with, empty if there is none."""
        carrier = {"traceparent": self.settings.traceparent or "", "tracestate": self.settings.tracestate or ""}
        return TraceContextTextMapPropagator().extract(carrier)

    def end_run(self) -> Account | None:
        """Close the run's journal, wait for its delivery within the exit budget, and return the account."""
        if self.installed is None:
            return None
        self.installed.foreign.collect()
        begin = self._cursors()
        self.installed.recorder.close()
        return self.wait(begin, ended=True)

    def flush(self) -> Account | None:
        """Wait, within the exit budget, until all that was recorded so far is delivered; return the account."""
        if self.installed is None:
            return None
        self.installed.foreign.collect()
        begin = self._cursors()
        for journal in self.installed.recorder.journals:
            journal.flush()
        return self.wait(begin, ended=False)

    # --- delivery -----------------------------------------------------------------------------------

    def orders(self, home: Path) -> Orders:
        """Return what a shipper's process is started with; ``home``: the folder below which its own files stand."""
        return make_orders(self.settings, self.destination, self.key, home)

    def _ship(self, journal: JournalWriter) -> None:
        """See to it that a journal that was just opened is delivered."""
        if self.settings.shipper == "process":
            self._home = journal.folder.parent
            self._look_again = time.monotonic() + _LOOK_SECONDS
            try:
                self._ensure_shipper(self._home)
            except OSError as error:
                let_through(error)
                text = f"no shipper could be started ({error}); `synapse-otel sync` delivers what waits"
                say(f"{text}; {explained_by(Check.RUNS)}")
        elif self.settings.shipper == "thread" and (self._thread is None or self._process != os.getpid()):
            self._process = os.getpid()
            self._thread = self._start_thread(journal.folder.parent)

    def _look(self) -> None:
        """See now and then that somebody delivers: the shipper may have been killed with all that would restart it."""
        if time.monotonic() < self._look_again or self.installed is None:
            return
        self._look_again = time.monotonic() + _LOOK_SECONDS
        journals = self.installed.recorder.journals
        if journals and not journals[-1].closed and self._home == journals[-1].folder.parent:
            self._revive(journals[-1].folder)

    def _ensure_shipper(self, home: Path) -> None:
        ensure_shipping(self.orders(home))

    def _start_thread(self, home: Path) -> Shipper:
        from threading import Thread

        from synapse_otel.shipper.pace import Courtesy
        from synapse_otel.shipper.shipper import Shipper

        orders = self.orders(home)
        shipper = Shipper(
            [Path(root) for root in orders.roots],
            self.destination,
            self.key,
            interval_seconds=orders.interval_seconds,
            say=say,
            limits=orders.limits,
            pace=Courtesy(),
        )
        _collect_now()
        Thread(target=shipper.run, kwargs={"idle_seconds": None}, name="synapse-otel", daemon=True).start()
        return shipper

    def wait(self, begin: Mapping[tuple[Path, Signal], Cursor], *, ended: bool) -> Account:
        """Wait until everything is delivered, delivery turns out to be impossible now, or the budget is used up.

        Args:
            begin: How the delivery stood before it was asked for.
            ended: the run has ended: what its shipper adds at its end is waited for too.
        """
        recorder = self.installed.recorder if self.installed else None
        journals = list(recorder.journals) if recorder else []
        folders = [journal.folder for journal in journals]
        emitted = sum(recorder.emitted()) if recorder else 0
        wanted = {(journal.folder, signal): journal.sequences[signal] for journal in journals for signal in Signal}
        now = time.monotonic()
        deadline = now + (self.settings.exit_timeout if self.settings.shipper != "off" else 0)
        restart = now + _RESTART_SECONDS
        while time.monotonic() < deadline:
            cursors = self._cursors()
            waiting = [
                place
                for place, cursor in cursors.items()
                if not (cursor.complete if ended else cursor.sequence >= wanted[place])
                and not (cursor.failure and cursor.attempts > begin[place].attempts)
            ]
            if not waiting:
                break
            if folders and self.settings.shipper == "process" and time.monotonic() > restart:
                restart = deadline
                self._revive(folders[-1])
            time.sleep(_POLL_SECONDS)
        unwritten = recorder.unwritten if recorder else 0
        # Of a journal that somebody has deleted nobody knows how much had been delivered: nothing is claimed of it.
        unwritten += sum(sum(journal.sequences) for journal in journals if not journal.folder.exists())
        return account_of(folders, emitted, unwritten=unwritten)

    def outlook(self) -> str:
        """Return how the delivery of what still waits goes on."""
        for journal in self.installed.recorder.journals if self.installed else []:
            silent = silent_shipper(journal.folder, self.key) if self.settings.shipper == "process" else None
            if silent is not None:
                return f"{silent}: `synapse-otel sync` takes over from it"
        return "goes on in the background, or by `synapse-otel sync`"

    def _cursors(self) -> dict[tuple[Path, Signal], Cursor]:
        journals = self.installed.recorder.journals if self.installed else []
        return {
            (journal.folder, signal): read_cursor(journal.folder, signal)
            for journal in journals
            if journal.folder.exists()
            for signal in Signal
        }

    def _revive(self, folder: Path) -> None:
        """See to it that somebody delivers a journal, unless it was redirected: then another shipper does."""
        run = read_run(folder)
        if run is not None and run.destination != self.key:
            return
        try:
            self._ensure_shipper(folder.parent)
        except OSError as error:
            let_through(error)
            say(f"no shipper could be started: {error}; {explained_by(Check.RUNS)}")
