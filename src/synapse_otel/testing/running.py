"""Running a job for a test: the real recorder and journal, in a folder that is deleted afterwards."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from synapse_otel._otel_private import unset_providers
from synapse_otel.journal.writer import JournalWriter
from synapse_otel.mapping.job import Job
from synapse_otel.mapping.python_logging.capture import Capture, is_captured
from synapse_otel.runtime.process import ProcessRuntime
from synapse_otel.runtime.state import STATE
from synapse_otel.sdk.install import Installed
from synapse_otel.sdk.recorded_run import JournalRoots
from synapse_otel.sdk.recorder import Recorder
from synapse_otel.settings import Settings, load_settings
from synapse_otel.testing.fixed import Ids

SIGNALS: Final = frozenset({"logs", "metrics", "traces"})
FIXED_JOURNAL_ID: Final = "0" * 31 + "1"


class TelemetryError(RuntimeError):
    """A failure of telemetry that a job would never notice: raised under tests only."""


class _Session:
    """What is set up once in a process and used by all jobs of its tests."""

    ids = Ids()
    installed: Installed | None = None


class Running:
    """The way that everything in the process takes for a while."""

    def __init__(self, settings: Settings, runtime: ProcessRuntime, recorder: Recorder) -> None:
        self.settings = settings
        self.recorder = recorder
        self._runtime = runtime

    def begin(self, name: str, attributes: Mapping[str, Any], *, fixed: bool) -> None:
        """Begin the journal of a run; a fixed one knows nothing of the machine and the process."""
        if fixed:
            resource = {"service.namespace": "synapse", "service.instance.id": FIXED_JOURNAL_ID, **attributes}
            given = {key: value for key, value in resource.items() if value is not None}
            self.recorder.begin_run(name, given, FIXED_JOURNAL_ID)
        else:
            self._runtime.begin_run(name, attributes)


@contextmanager
def recording_into(folder: Path) -> Iterator[Running]:
    """Have everything recorded into journals below ``folder``, and delivered by nobody.

    Raises:
        RuntimeError: OpenTelemetry's providers are set, and are not ours.
    """
    settings = load_settings(journal_dir=folder, shipper="off", host_providers="only")
    if settings.sdk_disabled:
        msg = "OTEL_SDK_DISABLED is set: nothing is recorded; unset it for tests that read recorded data"
        raise RuntimeError(msg)
    known = STATE.runtime
    runtime, installed = _set_up(settings, known)
    recorder = installed.recorder
    before = recorder.divert(JournalRoots([folder], _fail), _leave)
    STATE.runtime = runtime  # `job()` called inside of the test records here too
    try:
        yield Running(settings, runtime, recorder)
    finally:
        recorder.divert(*before)
        STATE.runtime = known


def _set_up(settings: Settings, known: ProcessRuntime | None) -> tuple[ProcessRuntime, Installed]:
    """Return a runtime for one job, on the providers that are ours; set them if there are none."""
    unset = unset_providers()
    runtime = ProcessRuntime(settings, id_generator=_Session.ids)
    installed = _Session.installed or (known.installed if known is not None else None)
    if installed is None:
        installed = _Session.installed = runtime.installed
        if installed is not None:
            installed.recorder.divert(JournalRoots([], _ignore), _leave)
    signals = installed.signals if installed is not None else set()
    if installed is None or signals != SIGNALS:
        raise _occupied(SIGNALS - (signals & (unset or signals)))
    runtime.installed = installed
    return runtime, installed


def _occupied(signals: set[str] | frozenset[str]) -> RuntimeError:
    names = " and ".join(sorted(signals))
    return RuntimeError(
        f"the OpenTelemetry providers of {names} are set already, by something other than synapse-otel: "
        "what a test records cannot be read back from them. Use the fixture in tests that run before they are set, "
        "or in a process of their own; providers can be set once in a process"
    )


@contextmanager
def fixed_ids() -> Iterator[None]:
    """Have ids that count from 1.

    Raises:
        RuntimeError: `configure` or `job` has set up the ids before.
    """
    if _Session.installed is None:
        msg = "ids cannot be fixed: configure() or job() has already set up OpenTelemetry in this process"
        raise RuntimeError(msg)
    with _Session.ids.fixed():
        yield


@contextmanager
def known_to_runtime(job: Job) -> Iterator[None]:
    """Have `job()`, when it is called inside of this one, leave the run to it."""
    STATE.jobs.append(job)
    try:
        yield
    finally:
        STATE.jobs.remove(job)


@contextmanager
def recorded_logging(level: int | None) -> Iterator[None]:
    """Record what Python's ``logging`` is told, from ``level`` on, as a job does where logging is not configured.

    pytest configures it for every test, so the root logger's level is lowered here all the same.
    """
    root = logging.getLogger()
    with ExitStack() as undo:
        if level is not None and not is_captured():
            undo.callback(Capture(level).end)
        if level is not None and root.level > level:
            undo.callback(root.setLevel, root.level)
            root.setLevel(level)
        yield


def _fail(line: str) -> None:
    raise TelemetryError(line)


def _ignore(_line: str) -> None:
    """Do nothing: records between two jobs are nobody's, so that there is nowhere to write them is right."""


def _leave(_journal: JournalWriter) -> None:
    """Replace the shipper of a journal."""


__all__ = [
    "Running",
    "TelemetryError",
    "fixed_ids",
    "known_to_runtime",
    "recorded_logging",
    "recording_into",
]
