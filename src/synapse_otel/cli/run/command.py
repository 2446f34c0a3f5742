"""``synapse-otel run``: a command, watched and delivered from outside."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from synapse_otel.cli.deliver.outside import Delivery
from synapse_otel.cli.lines import tell
from synapse_otel.cli.roots import journal_roots
from synapse_otel.cli.run.child import Child, end_like
from synapse_otel.cli.run.stderr_tap import StderrTap
from synapse_otel.cli.run.watched import WATCHED_VARIABLE, Watched, new_token
from synapse_otel.journal.account import Account
from synapse_otel.notices import Check, explained_by
from synapse_otel.settings import Settings, load_destination, load_settings
from synapse_otel.ui.formats import duration, path, printable

_DRAIN_SECONDS: Final = 0.5
_ENDING: Final = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM})


def run(
    command: Sequence[str],
    *,
    name: str | None = None,
    tags: Sequence[str] = (),
    notes: str | None = None,
    lines: int = 20,
    ship: bool = True,
    instrument: bool = True,
    endpoint: str | None = None,
    journal_dir: Path | None = None,
) -> NoReturn:
    """Run a command, and end as it ends: with its exit status, or by the same signal. It does not return.

    The arguments are those of the command line, as `app` has them; what is None is as the settings say.

    Raises:
        SettingsError: a setting is wrong.
        CommandError: the command cannot be started.
    """
    given = {"endpoint": endpoint, "journal_dir": journal_dir}
    settings = load_settings(**{key: value for key, value in given.items() if value is not None})
    destination = load_destination(settings)
    labels = {"SYNAPSE_OTEL_RUN_NAME": name or "", "SYNAPSE_OTEL_RUN_NOTES": notes or ""}
    if tags:
        labels["SYNAPSE_OTEL_RUN_TAGS"] = ",".join(dict.fromkeys((*settings.run_tags, *tags)))
    token = new_token(printable(name or ""))
    name = printable(name or Path(command[0]).name)
    begin = time.monotonic()
    tap = StderrTap(lines)
    own = {key: value for key, value in labels.items() if value} | {WATCHED_VARIABLE: token}
    child = Child(command, _environment(settings, own, endpoint, ship=ship, instrument=instrument), tap)
    watched = Watched(token, journal_roots(settings))
    delivery = Delivery(settings, destination, watched, tell)
    if ship:
        delivery.start()
    status = child.wait()
    try:
        ended = f"{status} after {duration(time.monotonic() - begin)}"
        stderr = tap.finish(_DRAIN_SECONDS)
        watched.tell(child.pid, status, stderr, _unwritten)
        folders = list(watched.journals())
        if status.code != 0 and (folders or status.signal != signal.SIGPIPE):  # `COMMAND | head` is no failure
            tell(f"{name}: {ended}{_place(folders)}")
        account = delivery.wait(settings.exit_timeout, _Interrupted(child.heard))
        if account is not None:
            tell(f"{name}{f': {ended}' if status.code == 0 else ''} · {account}{_why(account)}")
        delivery.end()
    except Exception as error:  # noqa: BLE001 - whatever becomes of the telemetry, this ends as the command has ended
        tell(f"{name}: {type(error).__name__}: {error}")
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, AttributeError):  # closed, or nobody listens
            stream.flush()
    end_like(status)


def _environment(
    settings: Settings, told: Mapping[str, str], endpoint: str | None, *, ship: bool, instrument: bool
) -> dict[str, str]:
    """Return the environment of the command, ``told`` in it; our own trace context is passed on."""
    own = {"SYNAPSE_OTEL_JOURNAL_DIR": str(settings.journal_dir), **told}
    if endpoint is not None:
        own["SYNAPSE_OTEL_ENDPOINT"] = endpoint
    if settings.shipper != "process" or not ship:
        own["SYNAPSE_OTEL_SHIPPER"] = "off"  # it is done from here, or by somebody else
    return {"SYNAPSE_OTEL_INSTRUMENT": str(instrument).lower(), **os.environ, **own}


class _Interrupted:
    """Waits a moment; a signal that asks for the end now cuts the waiting short."""

    def __init__(self, heard: set[signal.Signals]) -> None:
        self._ending = heard & _ENDING

    def __call__(self, seconds: float) -> bool:
        """Wait, and return whether such a signal has arrived."""
        if not hasattr(signal, "sigtimedwait"):
            time.sleep(seconds)  # macOS
            return bool(signal.sigpending() & self._ending)
        return signal.sigtimedwait(self._ending, seconds) is not None


def _unwritten(error: OSError) -> None:
    tell(f"the end of the command could not be recorded: {error}")


def _place(folders: list[Path]) -> str:
    if not folders:
        return ""
    more = f" and {len(folders) - 1} more" if len(folders) > 1 else ""
    return f" · records in {path(str(folders[0]))}{more}"


def _why(account: Account) -> str:
    if not account.pending:
        return ""
    reason = f" ({account.failure}; {explained_by(Check.ENDPOINT)})" if account.failure else ""
    return f"{reason} · kept on disk; `synapse-otel sync` or the next shipper delivers it"
