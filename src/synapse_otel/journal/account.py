"""The account of a run: every record that was emitted is delivered, pending or dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from synapse_otel._guard import raise_foreign
from synapse_otel.journal.cursor import EVICTED, Cursor, read_cursor
from synapse_otel.journal.folder import segment_numbers, segment_path
from synapse_otel.journal.frames import read_header
from synapse_otel.semconv.signal import Signal


@dataclass(frozen=True, slots=True)
class Requests:
    """The requests that a signal's records were sent in."""

    attempts: int = 0
    retries: int = 0
    """Number of requests that were not accepted."""
    size: int = 0
    """Bytes of accepted requests, before compression."""

    def __add__(self, other: Requests) -> Requests:
        """Return the sums."""
        return Requests(self.attempts + other.attempts, self.retries + other.retries, self.size + other.size)


@dataclass(frozen=True, slots=True)
class Account:
    """Counts of a run's records by state. Log records, metric samples and spans are counted alike."""

    emitted: int
    delivered: int
    dropped: dict[str, int] = field(default_factory=dict)
    """By reason."""
    withheld: int = 0
    """How many of the delivered ones were start markers of steps that were not sent: the steps' spans show more."""
    attempts: int = 0
    failure: str = ""
    """Why the last request was not accepted."""
    complete: bool = False
    """The run has ended, and no record is pending."""
    requests: dict[Signal, Requests] = field(default_factory=dict)
    """By signal."""

    @property
    def retries(self) -> int:
        """Requests that were not accepted."""
        return sum(one.retries for one in self.requests.values())

    @property
    def size(self) -> int:
        """Bytes of the requests that were accepted, before compression."""
        return sum(one.size for one in self.requests.values())

    @property
    def lost(self) -> int:
        """Records that will never arrive."""
        return sum(self.dropped.values())

    @property
    def pending(self) -> int:
        """Records that wait for delivery."""
        return max(self.emitted - self.delivered - self.lost, 0)

    def __str__(self) -> str:
        """Return the account in a few words."""
        dropped = f"dropped {self.lost:,}"
        if self.dropped:
            dropped += f" ({', '.join(f'{count:,} {reason}' for reason, count in self.dropped.items())})"
        return f"delivered {self.delivered:,} · pending {self.pending:,} · {dropped}"


UNWRITTEN: Final = "could not be written"


def cursors_of(folder: Path) -> Mapping[Signal, Cursor]:
    """Return the delivery account of a journal; records evicted before they were read count as dropped."""
    numbers = segment_numbers(folder)
    oldest = read_header(segment_path(folder, numbers[0])) if numbers else None
    # Read after the segment: what is delivered since is no gap.
    found = {signal: read_cursor(folder, signal) for signal in Signal}
    for cursor, sequence in zip(found.values(), oldest.sequences if oldest else (), strict=False):
        if sequence > cursor.sequence and not cursor.complete:
            cursor.dropped[EVICTED] = cursor.dropped.get(EVICTED, 0) + sequence - cursor.sequence
            cursor.sequence = sequence
    return found


def account_of(folders: Iterable[Path], emitted: int, *, unwritten: int = 0) -> Account:
    """Return the account of the journals of one run, of which ``emitted`` records are known to have been emitted.

    Those include the ``unwritten`` ones, which no journal could store.
    """
    unreached = ""
    found: list[Mapping[Signal, Cursor]] = []
    for folder in folders:
        try:
            found.append(cursors_of(folder))
        except OSError as error:  # nothing is known of it, so all of it waits
            raise_foreign(error)
            unreached = f"{folder.name} cannot be looked into: {error.strerror or error}"
    account = account_of_journals(found, emitted)
    return replace(
        account,
        dropped={UNWRITTEN: unwritten, **account.dropped} if unwritten else account.dropped,
        failure=account.failure or unreached,
        complete=account.complete and not unreached,
    )


def account_of_journals(found: Iterable[Mapping[Signal, Cursor]], emitted: int) -> Account:
    """Return the account of the journals of one run, by what `cursors_of` returned of each."""
    requests = dict.fromkeys(Signal, Requests())
    cursors = []
    for of_journal in found:
        for signal, cursor in of_journal.items():
            requests[signal] += Requests(cursor.attempts, cursor.retries, cursor.size)
            cursors.append(cursor)
    return replace(account_of_cursors(cursors, emitted), requests=requests)


def account_of_cursors(cursors: Sequence[Cursor], emitted: int) -> Account:
    """Return the account of some signals, by their cursors; of its failures the last one."""
    return Account(
        emitted,
        sum(cursor.delivered for cursor in cursors),
        added(cursor.dropped for cursor in cursors),
        withheld=sum(cursor.withheld for cursor in cursors),
        attempts=sum(cursor.attempts for cursor in cursors),
        failure=next((cursor.failure for cursor in reversed(cursors) if cursor.failure), ""),
        complete=bool(cursors) and all(cursor.complete for cursor in cursors),
    )


def added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sums of several counts by reason."""
    whole: Counter[str] = Counter()
    for each in counts:
        whole.update(each)
    return dict(whole)
