"""``synapse-otel sync``: one pass over the pending journals, or until a deadline; takes them over if needed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from synapse_otel._text import counted
from synapse_otel.cli.codes import DONE, PENDING
from synapse_otel.cli.deliver.waiting import Waiting, account
from synapse_otel.cli.lines import say, tell
from synapse_otel.cli.roots import check_owner, foreign_runs, is_readable, readable_roots
from synapse_otel.journal.account import Account, added
from synapse_otel.journal.destination_key import read_salt
from synapse_otel.journal.files.lock_holder import Role
from synapse_otel.journal.folder import is_own, read_run, redirect, run_folders
from synapse_otel.journal.frames import FORMAT_VERSION
from synapse_otel.otlp.destination import Destination, shown_url
from synapse_otel.runs import RunState, find_run, find_runs, is_one_job, run_state, same_run
from synapse_otel.runtime.shipping import ensure_shipping, shipper_configuration
from synapse_otel.settings import Settings, load_destination, load_settings
from synapse_otel.shipper.claims import look_again
from synapse_otel.shipper.configuration import ShipperConfiguration
from synapse_otel.shipper.service import Shipper

_POLL_SECONDS: Final = 0.05
_AGAIN_SECONDS: Final = 1.0
_TELL_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Pass:
    """What became of one journal."""

    folder: Path
    account: Account
    note: str = ""

    @property
    def delivered(self) -> bool:
        """Whether nothing is pending."""
        return not self.account.pending and (self.account.complete or run_state(self.folder) is RunState.LIVE)


def sync(run: str | None, *, everything: bool = False, timeout: float | None = None) -> int:
    """Deliver every pending journal of the configured destination, or those of one run to it; return the exit code.

    The arguments are those of the command line, as `app` has them. Of a resumed job all runs are delivered; without a
    timeout it tries once, or waits for a running shipper while records arrive.

    Raises:
        RunNotFoundError: there is no such run.
        SettingsError: a setting is wrong.
        PermissionError: the journals belong to another user.
        LookupError: both a run and everything are given.
    """
    if run is not None and everything:
        raise LookupError("either RUN or --all, not both")
    settings = load_settings()
    destination = load_destination(settings)
    place = _shown(destination)
    roots = readable_roots(settings)
    if is_readable(settings.journal_dir):
        check_owner(settings)
    foreign = foreign_runs(roots)
    if foreign and run is None:
        tell(f"{counted(len(foreign), 'run')} of other users skipped: {foreign[0].name}{_more(len(foreign))}")
    every = [folder for root in roots for folder in run_folders(root) if folder not in foreign]
    named = _named(run, roots) if run is not None else None
    if named is not None and not is_own(named[0]):
        raise PermissionError(f"{named[0]} belongs to another user and is not delivered")
    key = destination.key(read_salt(settings.journal_dir)) if every or named else ""
    pending = [folder for folder in (every if named is None else named) if not _settled(folder)]
    own = [folder for folder in pending if _is_for(folder, key)]
    if named is None and not everything and len(own) < len(pending):
        others = len(pending) - len(own)
        them = "it" if others == 1 else "them"
        recorded = f"{counted(others, 'run')} recorded for other destinations"
        say(f"{recorded}; `synapse-otel sync --all` sends {them} to {place}")
        pending = own
    if not pending:
        say(f"nothing is pending for {place}" if named is None else f"{named[0].name}: nothing is pending")
        return DONE
    configuration = shipper_configuration(settings, destination, key)
    return _Sync(settings, configuration, place, timeout).deliver(pending)


def _named(text: str, roots: list[Path]) -> list[Path]:
    """Return the journals of the matching run, or of all runs of the matching job."""
    found = find_runs(text, roots)
    if not is_one_job(found):
        found = [find_run(text, roots, tell)]
    return list(dict.fromkeys(journal for folder in found for journal in same_run(folder, roots)))


class _Sync:
    """One call of the command: its passes over the journals."""

    def __init__(
        self, settings: Settings, configuration: ShipperConfiguration, place: str, timeout: float | None
    ) -> None:
        self._settings = settings
        self._configuration = configuration
        self._place = place
        self._deadline = time.monotonic() + timeout if timeout is not None else None
        self._said: list[str] = []
        self._told = -_TELL_SECONDS
        self._taken: set[Path] = set()
        """Folders of the journals that were another destination's."""

    def deliver(self, folders: list[Path]) -> int:
        """Deliver journals, and return the exit code."""
        for folder in folders:
            self._redirect(folder)
        named_only = replace(self._configuration, roots=[], usage_seconds=0)
        shipper = Shipper(named_only, self._said.append, role=Role.ONCE)
        passes: dict[Path, _Pass] = {}
        try:
            while waiting := [folder for folder in folders if folder not in passes or not passes[folder].delivered]:
                for folder in waiting:
                    passes[folder] = one = self._one(shipper, folder)
                    if one.delivered or self._deadline is None:
                        say(_line(one, self._said))
                if not self._goes_on(passes.values()):
                    break
        finally:
            shipper.stop()
            self._hand_on()
        left = [one for one in passes.values() if not one.delivered]
        if self._deadline is not None:
            for one in left:
                say(_line(one, self._said))
        if len(passes) > 1 or left:
            say(f"{counted(len(passes), 'run')} to {self._place}: {_total(passes.values())}")
        return PENDING if left else DONE

    def _goes_on(self, passes: Iterable[_Pass]) -> bool:
        """Wait a moment before the next pass; return False if there is none."""
        left = [one for one in passes if not one.delivered]
        seconds = 0.0 if self._deadline is None or not left else min(self._deadline - time.monotonic(), _AGAIN_SECONDS)
        if seconds > 0 and time.monotonic() >= self._told + _TELL_SECONDS:
            self._told = time.monotonic()
            tell(f"{counted(len(left), 'run')} pending for {self._place}: {left[0].account.failure or left[0].note}")
        time.sleep(max(seconds, 0.0))
        return seconds > 0

    def _redirect(self, folder: Path) -> None:
        run = read_run(folder)
        if run is not None and run.version <= FORMAT_VERSION:
            with suppress(OSError):  # the pass over it says what is wrong
                if redirect(folder, self._configuration.key):
                    self._taken.add(folder)

    def _one(self, shipper: Shipper, folder: Path) -> _Pass:
        waiting = Waiting(folder, self._configuration.key, self._deadline)
        try:
            while not shipper.deliver_once(folder, until=self._deadline):
                if (over := waiting.look()) is not None:
                    return _Pass(folder, account(folder), over)
                time.sleep(_POLL_SECONDS)
        except OSError as error:
            return _Pass(folder, account(folder), f"{error.strerror or error}")
        notes = []
        if folder in self._taken:
            notes.append(f"taken over from {waiting.holder or 'another destination'}")
        elif not _is_for(folder, self._configuration.key):
            notes.append("recorded for another destination and could not be taken over from it")
        if run_state(folder) is RunState.LIVE:
            notes.append(f"still running{self._further(folder)}")
        return _Pass(folder, account(folder), " · ".join(notes))

    def _further(self, folder: Path) -> str:
        """Return a note about the later records of a live job."""
        if folder not in self._taken:
            return ""
        if self._settings.shipper == "process":
            return ", a shipper keeps delivering it"
        return "; run `synapse-otel sync` again for later records"

    def _hand_on(self) -> None:
        """Let a shipper of this destination continue the taken-over runs, which it knows as another's."""
        if not self._taken:
            return
        look_again(map(Path, self._configuration.roots), self._configuration.key)
        if self._settings.shipper == "process" and any(run_state(folder) is RunState.LIVE for folder in self._taken):
            try:
                ensure_shipping(self._configuration)
            except OSError as error:
                tell(f"no shipper could be started ({error}); run `synapse-otel sync` again for later records")


def _settled(folder: Path) -> bool:
    """Return whether a journal has ended and is completely delivered."""
    found = account(folder)
    return found.complete and not found.pending


def _is_for(folder: Path, key: str) -> bool:
    run = read_run(folder)
    return run is not None and run.destination == key


# --- words -----------------------------------------------------------------------------------------


def _line(one: _Pass, said: list[str]) -> str:
    parts = [str(one.account)]
    if one.account.pending:
        # A server that has asked to be left alone is not asked again: what it said then is why this run waits too.
        parts += [one.account.failure] if one.account.failure else said[-1:]
    if one.note:
        parts.append(one.note)
    return f"{one.folder.name}  {' · '.join(parts)}"


def _total(passes: Iterable[_Pass]) -> Account:
    accounts = [one.account for one in passes]
    dropped = added(one.dropped for one in accounts)
    return Account(sum(one.emitted for one in accounts), sum(one.delivered for one in accounts), dropped)


def _more(count: int) -> str:
    return f" and {count - 1:,} more" if count > 1 else ""


def _shown(destination: Destination) -> str:
    return shown_url(destination.logs.url).removesuffix("/v1/logs")
