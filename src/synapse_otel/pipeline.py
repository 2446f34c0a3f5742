"""The way of everything in this process, wired once: providers, recorder, journal, shipper, account."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from synapse_otel.account import Account, account_of
from synapse_otel.journal.folder import make_root
from synapse_otel.journal.writer import JournalWriter
from synapse_otel.recorder.install import Installed, install
from synapse_otel.recorder.recorder import RecorderOptions, spare_roots
from synapse_otel.recorder.resource import make_resource
from synapse_otel.settings import Settings, load_destination
from synapse_otel.shipper.process import Orders
from synapse_otel.shipper.shipper import Shipper
from synapse_otel.shipper.start import ensure_shipper, is_shipping
from synapse_otel.signals import semconv
from synapse_otel.signals.instruments import BLOCK

_POLL_SECONDS: Final = 0.01
_RESTART_SECONDS: Final = 1.0
SALT_FILE: Final = "salt"


def say(line: str) -> None:
    """Tell the job's user something about its telemetry, once, on stderr."""
    sys.stderr.write(f"synapse-otel: {line}\n")


class Pipeline:
    """What `configure` sets up. A failure in it is said and counted; it never reaches the job."""

    def __init__(self, settings: Settings, *, id_generator: Any = None) -> None:
        self.settings: Final = settings
        self.destination: Final = load_destination(settings)
        self.key: Final = self.destination.key(read_salt(settings.journal_dir))
        self._thread: Shipper | None = None
        self._process = os.getpid()
        self.installed: Installed | None = None
        if not settings.sdk_disabled:
            self.installed = install(
                RecorderOptions(
                    root=settings.journal_dir,
                    destination=self.key,
                    budget_bytes=settings.journal_budget,
                    keep=settings.journal_keep,
                    secret_words=settings.redact_keys,
                    own_scope=semconv.SCOPE_NAME,
                ),
                BLOCK,
                interval_seconds=settings.metric_export_interval / 1000,
                say=say,
                on_open=self._ship,
                id_generator=id_generator,
            )

    # --- runs ---------------------------------------------------------------------------------------

    def begin_run(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Begin a journal for a run, with a resource of its own."""
        if self.installed is not None:
            given = {"service.namespace": "synapse", "service.instance.id": secrets.token_hex(16), **attributes}
            resource = make_resource(given)
            self.installed.recorder.begin_run(name, resource.attributes, given["service.instance.id"])

    def parent(self) -> Context:
        """Return the trace context that this process was started with, empty if there is none."""
        carrier = {"traceparent": self.settings.traceparent or "", "tracestate": self.settings.tracestate or ""}
        return TraceContextTextMapPropagator().extract(carrier)

    def end_run(self) -> Account | None:
        """Close the run's journal, wait for its delivery within the exit budget, and return the account."""
        if self.installed is None:
            return None
        self.installed.foreign.collect()
        self.installed.recorder.close()
        return self.wait()

    def flush(self) -> Account | None:
        """Wait, within the exit budget, until all that was recorded so far is delivered; return the account."""
        if self.installed is None:
            return None
        self.installed.foreign.collect()
        for journal in self.installed.recorder.journals:
            journal.flush()
        return self.wait()

    # --- delivery -----------------------------------------------------------------------------------

    def orders(self) -> Orders:
        """Return what a shipper's process is started with."""
        roots = [self.settings.journal_dir, *spare_roots()]
        return Orders(
            roots=[str(root) for root in roots],
            destination=self.destination,
            key=self.key,
            interval_seconds=self.settings.metric_export_interval / 1000,
        )

    def _ship(self, journal: JournalWriter) -> None:
        """See to it that a journal that was just opened is delivered."""
        if self.settings.shipper == "process":
            try:
                make_root(self.settings.journal_dir)
                ensure_shipper(self.orders())
            except OSError as error:
                say(f"no shipper could be started ({error}); `synapse-otel sync` delivers what waits")
        elif self.settings.shipper == "thread":
            if self._thread is None or self._process != os.getpid():
                self._process = os.getpid()
                self._thread = self._start_thread()
            self._thread.own(journal.folder, lambda: journal.closed)

    def _start_thread(self) -> Shipper:
        from threading import Thread

        orders = self.orders()
        shipper = Shipper(
            [Path(root) for root in orders.roots],
            self.destination,
            self.key,
            interval_seconds=orders.interval_seconds,
            say=say,
        )
        Thread(target=shipper.run, kwargs={"idle_seconds": None}, name="synapse-otel", daemon=True).start()
        return shipper

    def wait(self) -> Account:
        """Wait until everything is delivered, delivery turns out to be impossible now, or the budget is used up."""
        recorder = self.installed.recorder if self.installed else None
        folders = [journal.folder for journal in recorder.journals] if recorder else []
        emitted = sum(recorder.emitted()) if recorder else 0
        begin = account_of(folders, emitted)
        deadline = time.monotonic() + (self.settings.exit_timeout if self.settings.shipper != "off" else 0)
        restart = time.monotonic() + _RESTART_SECONDS
        account = begin
        while account.pending and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            account = account_of(folders, emitted)
            if account.failure and account.attempts > begin.attempts:
                break
            if self.settings.shipper == "process" and time.monotonic() > restart:
                restart = deadline
                self._revive()
        return account

    def _revive(self) -> None:
        if not is_shipping(self.settings.journal_dir, self.key):
            try:
                ensure_shipper(self.orders())
            except OSError as error:
                say(f"no shipper could be started: {error}")


def read_salt(root: Path) -> bytes:
    """Return the secret with which this user's destinations are named; made when first needed."""
    path = root / SALT_FILE
    try:
        make_root(root)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return path.read_bytes()
    except OSError:
        return b""
    with os.fdopen(descriptor, "wb") as file:
        salt = secrets.token_bytes(32)
        file.write(salt)
    return salt
