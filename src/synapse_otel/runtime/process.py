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

from synapse_otel import semconv
from synapse_otel._guard import let_through
from synapse_otel._otel_private import unset_providers
from synapse_otel.journal.account import Account
from synapse_otel.journal.destination_key import read_salt
from synapse_otel.journal.files.descriptors import take_standard
from synapse_otel.journal.folder import read_run
from synapse_otel.journal.writer import JournalWriter
from synapse_otel.mapping.instruments import BLOCK, record_with
from synapse_otel.notices import Check, explained_by, say
from synapse_otel.otlp.destination import Destination
from synapse_otel.runtime.shipping import ensure_shipping, shipper_configuration
from synapse_otel.runtime.wait_for_delivery import Cursors, cursors_of, wait_for_delivery
from synapse_otel.sdk.install import Installed, install
from synapse_otel.sdk.recorded_run import RecorderOptions
from synapse_otel.sdk.recorder import Recorder
from synapse_otel.sdk.resource import make_resource
from synapse_otel.settings import Settings, load_destination
from synapse_otel.shipper.configuration import ShipperConfiguration
from synapse_otel.shipper.end_hung import silent_shipper
from synapse_otel.shipper.launch import interpreter, is_shipping, runs_threads, why_it_ended

if TYPE_CHECKING:
    from synapse_otel.shipper.service import Shipper

_FEW_BLOCKS: Final = 1_000_000
"""Of memory, as Python counts them: a fifth of a second at most."""
_LOOK_SECONDS: Final = 2.0
_LOOK_SELDOM_SECONDS: Final = 300.0
_STARTING_SECONDS: Final = 5.0
"""What a shipper's process may take on a busy machine until it is seen."""
_STARTS_IN_VAIN: Final = 2
"""Then it is said that the shipper does not live."""


def _collect_now() -> None:
    """Have the garbage collector look through all that was loaded now, not soon, in the middle of a call of the job's.

    Unless the process is so large that this would take long.
    """
    if gc.isenabled() and sys.getallocatedblocks() < _FEW_BLOCKS:
        gc.collect()


def _possible(shipper: str) -> str:
    """Return how a shipper can run here: as a thread where a process might be the user's program, or not at all."""
    if shipper == "process" and interpreter() is None:
        shipper = "thread"
    if shipper == "thread" and not runs_threads():
        text = "uWSGI runs no threads unless enable-threads is set: nothing is delivered from this process"
        say(f"{text}; run `synapse-otel ship` next to it, or `synapse-otel sync`; {explained_by(Check.RUNS)}")
        return "off"
    return shipper


def _run(shipper: Shipper) -> None:
    """Deliver, in a thread of its own, from threads that it starts."""
    try:
        shipper.run(idle_seconds=None)
    except RuntimeError as error:
        _say_no_thread(error)


def _say_no_thread(error: RuntimeError) -> None:
    text = f"nothing is delivered from this process ({error}); `synapse-otel sync` delivers what is pending"
    say(f"{text}; {explained_by(Check.RUNS)}")


class ProcessRuntime:
    """What `configure` sets up. A failure in it is said and counted; it never reaches the job."""

    def __init__(self, settings: Settings, *, id_generator: Any = None) -> None:
        take_standard()  # what libraries write to a stream that is closed goes into no file of anybody's
        self.settings: Final = settings
        self._shipper: Final = _possible(settings.shipper)
        """As set, or what is possible here instead."""
        self._starts = 0
        """How often a shipper's process was started since one was seen that lives..."""
        self._started = 0.0
        """... and the Unix time of the first one."""
        self._said = ""
        """Why no shipper's process could be started, as it was said last."""
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
                    retain=settings.journal_kept_budget > 0,
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
        if self.installed is not None and self._shipper == "process":
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
        if self.installed is not None and self.installed.recorder.run.parent != parent:
            self.begin_run(name, attributes, parent)

    def close(self) -> None:
        """Close the journals; wait for their delivery only where this process is the one that delivers."""
        if self._shipper == "thread":
            self.end_run()
        elif self.installed is not None:
            self.installed.foreign.collect()
            self.installed.recorder.close()

    @property
    def journal_id(self) -> str:
        """Id of the current run's journal; empty if there is none."""
        journals = self.installed.recorder.run.journals if self.installed else []
        return journals[0].run.journal if journals else ""

    @property
    def journal_folder(self) -> Path | None:
        """Folder of the current run's journal; None if there is none."""
        journals = self.installed.recorder.run.journals if self.installed else []
        return journals[0].folder if journals else None

    def parent(self) -> Context:
        """Return the trace context that this process was started with, empty if there is none."""
        carrier = {"traceparent": self.settings.traceparent or "", "tracestate": self.settings.tracestate or ""}
        return TraceContextTextMapPropagator().extract(carrier)

    def end_run(self) -> Account | None:
        """Close the run's journal, wait for its delivery within the exit budget, and return the account."""
        if self.installed is None:
            return None
        self.installed.foreign.collect()
        begin = cursors_of(self.installed.recorder.run.journals)
        self.installed.recorder.close()
        return self._wait(self.installed.recorder, begin, ended=True)

    def flush(self) -> Account | None:
        """Wait, within the exit budget, until all that was recorded so far is delivered; return the account."""
        if self.installed is None:
            return None
        self.installed.foreign.collect()
        begin = cursors_of(self.installed.recorder.run.journals)
        for journal in self.installed.recorder.run.journals:
            journal.flush()
        return self._wait(self.installed.recorder, begin, ended=False)

    # --- delivery -----------------------------------------------------------------------------------

    def configuration(self, home: Path) -> ShipperConfiguration:
        """Return what a shipper's process is started with; ``home``: the folder below which its own files stand."""
        return shipper_configuration(self.settings, self.destination, self.key, home)

    def _ship(self, journal: JournalWriter) -> None:
        """See to it that a journal that was just opened is delivered."""
        if self._shipper == "process":
            self._home = journal.folder.parent
            self._look_again = time.monotonic() + _LOOK_SECONDS
            self._revive(journal.folder)
        elif self._shipper == "thread" and (self._thread is None or self._process != os.getpid()):
            self._process = os.getpid()
            self._thread = self._start_thread(journal.folder.parent)

    def _look(self) -> None:
        """See now and then that somebody delivers: the shipper may have been killed with all that would restart it."""
        if time.monotonic() < self._look_again or self.installed is None:
            return
        # One that ends as soon as it is started is not started again and again.
        self._look_again = time.monotonic() + min(_LOOK_SECONDS * 2.0**self._starts, _LOOK_SELDOM_SECONDS)
        journals = self.installed.recorder.run.journals
        if journals and not journals[-1].closed and self._home == journals[-1].folder.parent:
            journals[-1].hold_on()
            self._revive(journals[-1].folder)

    def _ensure_shipper(self, home: Path) -> None:
        configuration = self.configuration(home)
        if ensure_shipping(configuration):
            self._started = self._started if self._starts else time.time()
            self._starts += 1
        else:
            self._starts = 0
        if self._starts == _STARTS_IN_VAIN and (reason := why_it_ended(home, self.key, self._started)):
            say(f"the shipper exits as soon as it is started ({reason}); {explained_by(Check.RUNS)}")

    def _revive(self, folder: Path) -> None:
        """See to it that somebody delivers a journal, unless it was redirected: then another shipper does."""
        try:
            run = read_run(folder)
            if run is None or run.destination == self.key:
                self._ensure_shipper(folder.parent)
        except OSError as error:
            let_through(error)
            text = f"no shipper could be started ({error}); `synapse-otel sync` delivers what is pending"
            if text != self._said:
                self._said = text
                say(f"{text}; {explained_by(Check.RUNS)}")

    def outlook(self) -> str:
        """Return what becomes of the records that wait when this process has ended."""
        recorder = self.installed.recorder if self.installed else None
        for journal in recorder.run.journals if recorder and self._shipper == "process" else []:
            if (silent := silent_shipper(journal.folder, self.key)) is not None:
                return f"{silent}: `synapse-otel sync` takes over"
        roots = {*(journal.folder.parent for journal in recorder.run.journals)} if recorder else set()
        if any(is_shipping(Path(root), self.key) for home in roots for root in self.configuration(home).roots):
            return "delivery continues in the background, or with `synapse-otel sync`"
        if self._shipper != "process":
            return "nothing delivers it now: a later job or `synapse-otel sync` will"
        reason = next((found for home in roots if (found := why_it_ended(home, self.key, self._started))), "")
        if self._starts and not reason and time.time() - self._started < _STARTING_SECONDS:
            return "delivery continues in the background, or with `synapse-otel sync`"
        return f"nothing delivers it now{f' ({reason})' if reason else ''}: run `synapse-otel sync`"

    def _start_thread(self, home: Path) -> Shipper | None:
        from threading import Thread

        from msgspec.structs import replace

        from synapse_otel.shipper.service import Shipper
        from synapse_otel.shipper.throttle import InJobThrottle

        configuration = replace(self.configuration(home), usage_seconds=0)
        shipper = Shipper(configuration, say, throttle=InJobThrottle())
        _collect_now()
        thread = Thread(target=_run, args=(shipper,), name="synapse-otel", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            let_through(error)
            _say_no_thread(error)
            return None
        return shipper

    def _wait(self, recorder: Recorder, begin: Cursors, *, ended: bool) -> Account:
        return wait_for_delivery(
            recorder,
            begin,
            ended=ended,
            seconds=self.settings.exit_timeout if self._shipper != "off" else 0,
            revive=self._revive if self._shipper == "process" else None,
        )
