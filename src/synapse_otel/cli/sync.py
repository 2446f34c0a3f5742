"""``synapse-otel sync``: one pass over the journals that wait."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from synapse_otel.account import Account, account_of
from synapse_otel.cli.codes import PENDING
from synapse_otel.cli.lines import say, tell
from synapse_otel.cli.roots import check_owner, foreign_runs, is_own, readable_roots
from synapse_otel.journal.folder import read_run, run_folders
from synapse_otel.journal.salt import read_salt
from synapse_otel.recording import RunState, emitted_records, find_run, run_state, same_run
from synapse_otel.settings import Settings, load_destination, load_settings
from synapse_otel.shipper.destination import Destination, shown_url
from synapse_otel.shipper.shipper import Shipper

_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class _Pass:
    """What became of one journal."""

    folder: Path
    account: Account
    note: str = ""

    @property
    def delivered(self) -> bool:
        """Whether nothing waits now."""
        return not self.account.pending and (self.account.complete or run_state(self.folder) is RunState.LIVE)


def sync(run: str | None) -> int:
    """Deliver every pending journal of the configured destination, or those of one run to it; return the exit code.

    Raises:
        RunNotFoundError: there is no such run.
        SettingsError: a setting is wrong.
        PermissionError: the journals belong to another user.
    """
    settings = load_settings()
    destination = load_destination(settings)
    place = _shown(destination)
    roots = readable_roots(settings)
    if settings.journal_dir in roots:
        check_owner(settings)
    foreign = foreign_runs(roots)
    if foreign and run is None:
        tell(f"{_runs(len(foreign))} of other users left alone: {foreign[0].name}{_more(len(foreign))}")
    every = [folder for root in roots for folder in run_folders(root) if folder not in foreign]
    named = same_run(find_run(run, roots), roots) if run is not None else None
    if named is not None and not is_own(named[0]):
        raise PermissionError(f"{named[0]} belongs to another user; nothing of it is delivered")
    key = destination.key(read_salt(settings.journal_dir)) if every or named else ""
    pending = [folder for folder in (every if named is None else named) if not _settled(folder)]
    own = [folder for folder in pending if _is_for(folder, key)]
    if named is None and len(own) < len(pending):
        others = len(pending) - len(own)
        say(f"{_runs(others)} recorded for other destinations; `synapse-otel sync RUN` sends one to {place}")
        pending = own
    if not pending:
        say(f"nothing is pending for {place}" if named is None else f"{named[0].name}: nothing is pending")
        return 0
    return _deliver(pending, settings, destination, key, place)


def _deliver(folders: list[Path], settings: Settings, destination: Destination, key: str, place: str) -> int:
    said: list[str] = []
    shipper = Shipper([], destination, key, interval_seconds=settings.metric_export_interval / 1000, say=said.append)
    passes: list[_Pass] = []
    try:
        for folder in folders:
            note = "" if _is_for(folder, key) else "recorded for another destination"
            passes.append(_one(shipper, folder, settings, note))
            say(_line(passes[-1], said))
    finally:
        shipper.stop()
    if len(passes) > 1 or not passes[0].delivered:
        say(f"{_runs(len(passes))} to {place}: {_total(passes)}")
    return 0 if all(one.delivered for one in passes) else PENDING


def _one(shipper: Shipper, folder: Path, settings: Settings, note: str) -> _Pass:
    try:
        tried = shipper.deliver_once(folder)
    except OSError as error:
        return _Pass(folder, _account(folder), f"{error.strerror or error}")
    if not tried:
        return _Pass(folder, _wait(folder, settings.exit_timeout), "a running shipper has it in hand")
    return _Pass(folder, _account(folder), note)


def _wait(folder: Path, seconds: float) -> Account:
    """Wait a moment for the shipper that has a journal in hand, and return how far it has come."""
    begin = account = _account(folder)
    deadline = time.monotonic() + seconds
    while account.pending and time.monotonic() < deadline:
        if account.failure and account.attempts > begin.attempts:
            break
        time.sleep(_POLL_SECONDS)
        account = _account(folder)
    return account


def _account(folder: Path) -> Account:
    return account_of([folder], emitted_records(folder))


def _settled(folder: Path) -> bool:
    """Say whether a journal has ended and all of it is delivered."""
    account = _account(folder)
    return account.complete and not account.pending


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
    if run_state(one.folder) is RunState.LIVE:
        parts.append("still running")
    return f"{one.folder.name}  {' · '.join(parts)}"


def _total(passes: Iterable[_Pass]) -> Account:
    emitted = delivered = 0
    dropped: dict[str, int] = {}
    for one in passes:
        emitted += one.account.emitted
        delivered += one.account.delivered
        for reason, count in one.account.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + count
    return Account(emitted, delivered, dropped)


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count:,} runs"


def _more(count: int) -> str:
    return f" and {count - 1:,} more" if count > 1 else ""


def _shown(destination: Destination) -> str:
    return shown_url(destination.logs.url).removesuffix("/v1/logs")
