"""Waits for a journal that another shipper has claimed, until it is delivered, released, or the shipper is ended."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from synapse_otel.cli.lines import tell
from synapse_otel.journal.account import Account, account_of
from synapse_otel.journal.files.lock_holder import Holder, Role, last_sign, read_holder, silent_seconds
from synapse_otel.journal.folder import SHIP_LOCK
from synapse_otel.runs import RunState, emitted_records, run_state
from synapse_otel.shipper.end_hung import SILENT_SECONDS, end

HAND_OVER_SECONDS: Final = 12.0
"""A shipper releases a journal after its current request, which takes up to 10 seconds by default."""
_QUIET_SECONDS: Final = 10.0
"""A shipper without a sign of life for this time counts as silent, even if clocks differ."""
_FAILING_SECONDS: Final = 10.0
"""If requests fail, and nothing has arrived for this time, only a caller with a deadline waits on."""
_TELL_SECONDS: Final = 5.0


class Waiting:
    """Waits for one journal, and reports the reason."""

    def __init__(self, folder: Path, key: str, deadline: float | None) -> None:
        """Begin to wait, until ``deadline``, a monotonic time; None: as long as records arrive.

        A shipper of another destination than that of ``key`` is asked to release the journal.
        """
        self._folder = folder
        self._lock = folder / SHIP_LOCK
        self._key = key
        self._deadline = deadline
        self._since = self._moved = self._seen = time.monotonic()
        self._told = self._since - _TELL_SECONDS / 2
        self._begin = self._account = account(folder)
        self._sign = last_sign(self._lock)
        self.holder: Holder | None = None
        """Its last holder."""

    def look(self) -> str | None:
        """Check the state; return the reason to stop waiting, or None."""
        now = time.monotonic()
        self.holder = holder = read_holder(self._lock) or self.holder
        before, self._account = self._account, account(self._folder)
        if self._account.delivered > before.delivered:
            self._moved = now
        if self._is_delivered():
            return f"delivered by {holder}" if holder else "delivered by a running shipper"
        if self._deadline is not None and now >= self._deadline:
            return self._in_hand()
        asked = holder is None or holder.destination != self._key
        if asked or self._is_silent(now):
            return self._let_go(now, asked=asked)
        self._tell(now, f"{holder} delivers it: {self._account.pending:,} records are pending")
        return self._in_hand() if self._deadline is None and self._fails(now) else None

    def _is_delivered(self) -> bool:
        if run_state(self._folder) is RunState.LIVE:
            return self._account.delivered + self._account.lost >= self._begin.emitted
        return self._account.complete and not self._account.pending

    def _is_silent(self, now: float) -> bool:
        if (sign := last_sign(self._lock)) != self._sign:
            self._sign, self._seen = sign, now
        quiet = now - self._seen > _QUIET_SECONDS and self.holder is not None and self.holder.role is not Role.ONCE
        return quiet or silent_seconds(self._lock) > SILENT_SECONDS

    def _let_go(self, now: float, *, asked: bool) -> str | None:
        """Wait for the holder to release it, or end it if allowed; return the reason if neither works."""
        holder, silent = self.holder, self._is_silent(now)
        if not silent and now - self._since < HAND_OVER_SECONDS:
            self._tell(now, f"waits for {holder or 'a running shipper'} to release it")
            return None
        if holder is not None and holder.role is Role.PROCESS and end(holder):
            tell(f"{self._folder.name}: ended {holder}, which {'gave no sign of life' if silent else 'did not answer'}")
            self._since = self._seen = now
            return None
        if holder is None:
            return self._in_hand()
        why = "gives no sign of life" if silent or not asked else "does not release it"
        return f"{holder} has claimed it and {why}: end that process, and sync again"

    def _fails(self, now: float) -> bool:
        """Return whether requests have failed and nothing arrives."""
        tried = self._account.failure and self._account.attempts > self._begin.attempts
        return bool(tried) and now - self._moved > _FAILING_SECONDS

    def _in_hand(self) -> str:
        return f"{self.holder or 'a running shipper'} has claimed it"

    def _tell(self, now: float, text: str) -> None:
        if now - self._told >= _TELL_SECONDS:
            self._told = now
            tell(f"{self._folder.name}: {text}")


def account(folder: Path) -> Account:
    """Return the account of one journal."""
    return account_of([folder], emitted_records(folder))
