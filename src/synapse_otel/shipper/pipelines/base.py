"""A pipeline: one signal of one journal, from its frames to requests that the server has truly accepted.

Each signal has a cursor of its own, so a backend that is away holds up nothing but its own signal.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from math import inf
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec

from synapse_otel.journal import frames
from synapse_otel.journal.cursor import EVICTED, Cursor, read_cursor
from synapse_otel.journal.frames import SIGNAL_OF, Kind
from synapse_otel.journal.reader import LOG_KINDS, Chunk, Frame, JournalReader, Position
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.pipelines.cursor_file import CursorFile
from synapse_otel.shipper.pipelines.definitions import JournalDefinitions
from synapse_otel.shipper.pipelines.outbox import Outbox, Send
from synapse_otel.shipper.pipelines.queue import Batch, Item
from synapse_otel.shipper.pipelines.shared_chunks import SharedChunks
from synapse_otel.shipper.throttle import AT_ONCE, Throttle

AGE_SECONDS: Final = 1.0


class SignalPipeline(ABC):
    """Reads, batches and delivers one signal of one journal."""

    signal: ClassVar[Signal]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.throttle: Throttle = AT_ONCE
        self.cursor: Cursor = self.begin()
        self.definitions = JournalDefinitions(folder)
        self.awaited = False
        """Somebody waits for the delivery: the next try comes at once, whatever failed before."""
        self.replaying = False
        """What is read now was delivered before: only what it defines is wanted."""
        self.has_read = False
        """Something was read; tells how busy the journal is."""
        self._expected = self.cursor.sequence
        self._caught_up = False
        """Everything that stood in the journal at the last look was read."""
        self._batch = Batch()
        self._outbox = Outbox(self.encode)
        self._outgoing = 0
        self.file = CursorFile(folder, self.signal, self.cursor)
        try:
            self.restore(self.cursor.state)
        except (msgspec.ValidationError, TypeError, ValueError, AttributeError):
            self.cursor.warnings.append("the state of the delivery was damaged and starts again")
            self.restore({})
        self._reader = JournalReader(folder, Position(self.cursor.segment, 0))
        self._skip_to = self.cursor.position

    # --- what each signal does ----------------------------------------------------------------------

    @abstractmethod
    def take(self, frame: Frame, structure: Any) -> list[Item]:
        """Turn a frame of this signal into items."""

    def begin(self) -> Cursor:
        """Return the cursor to begin with."""
        return read_cursor(self.folder, self.signal)

    def encode(self, items: list[Item]) -> bytes:
        """Return the body of a request with these items."""
        return self.definitions.request([(item.scope, item.field()) for item in items])

    def restore(self, state: dict[str, Any]) -> None:  # noqa: B027 - most pipelines have no state
        """Take up the state that the cursor kept."""

    def state(self) -> dict[str, Any]:
        """Return what the cursor must keep."""
        return {}

    def define(self, structure: Any) -> None:  # noqa: B027 - most pipelines need no more than is defined for all
        """Take a definition, of whatever kind, that `definitions` has taken."""

    def due(self, *, alive: bool) -> list[Item]:  # noqa: ARG002 - most pipelines add nothing
        """Return what the pipeline adds on its own, now; ``alive``: the process that writes the journal lives."""
        return []

    def due_in_seconds(self) -> float:
        """Return after how long the pipeline adds something on its own, though nothing is written to the journal."""
        return inf

    def handed_over(self) -> None:  # noqa: B027 - most pipelines have nothing to do
        """Hear that what was read is on its way: nothing of it can be changed any more."""

    def committed(self) -> None:  # noqa: B027 - most pipelines have nothing to do
        """Hear that all that was read has been accepted."""

    def closing(self, *, killed: bool) -> list[Item]:  # noqa: ARG002 - most pipelines add nothing
        """Return what the pipeline adds when the journal has ended; ``killed``: its process did not end it."""
        return []

    # --- the way of a batch -------------------------------------------------------------------------

    def step(self, send: Send, *, ended: bool) -> bool:
        """Read what there is and, when it is time, send it. Return whether something was accepted.

        Args:
            send: Delivers a request, or says that it is too early to try.
            ended: the process that wrote the journal is gone.
        """
        if self.file.is_due:
            self.file.save()
        if self.cursor.complete:
            return False
        batch = self._batch
        if not self._outbox.sends:
            self._fill(batch, ended=ended)
        if not self._is_due(batch):
            return False
        return self._send(batch, send)

    def share(self, chunks: SharedChunks) -> None:
        """Read the journal together with the pipelines of the other signals, as long as they are at the same place."""
        self._reader.read_at = chunks.reader(self.folder)

    def hurry(self) -> None:
        """Send what has been read at the next step, however little it is."""
        self._batch.urgent = True

    @property
    def held_bytes(self) -> int:
        """About how many bytes were read and not accepted yet; 0 when nothing waits."""
        return self._batch.size + bool(self._batch.items) + (self._outgoing if self._outbox else 0)

    @property
    def waits(self) -> bool:
        """Whether there is something to be tried again later: a request, or to write the cursor."""
        return bool(self._batch.items or self._outbox) or not self.file.saved

    def stirs(self) -> bool:
        """Return whether more stands in the journal than was read, and could be read now."""
        return not self._outbox.sends and not self._reader.is_quiet()

    def reopen(self) -> None:
        """Go on with a journal whose process was presumed dead, and has written more."""
        self.cursor.complete = self.cursor.killed = False
        self.file.kept = self.cursor.segment, False  # or its segments would be deleted as delivered

    def close(self) -> None:
        """Close the journal's files, and forget what was read of them."""
        self._reader.close()
        # The outbox knows its pipeline: neither would be freed before the garbage collector comes round.
        self._batch, self._outbox = Batch(), Outbox(_nothing)

    def _fill(self, batch: Batch, *, ended: bool) -> None:
        if batch.final:
            return
        self._caught_up = False
        while batch.size < self.throttle.batch_bytes and not batch.final:
            found = self._reader.read_chunk(ended=ended, limit=self.throttle.read_bytes, skip=LOG_KINDS)
            if found is not None:
                self.has_read = True
                self._take_all(batch, found)
            self.throttle.rest()
            if found is None:
                self._caught_up = True
                if ended:
                    self._finish(batch)
                break
        batch.add(self.due(alive=not ended))

    def _finish(self, batch: Batch) -> None:
        batch.final = True
        batch.urgent = True
        self.cursor.killed = not self.definitions.ended_well
        batch.add(self.closing(killed=self.cursor.killed))
        lost = self._reader.damage.bytes
        if lost:
            self.cursor.warnings.append(f"{lost} damaged bytes of the journal were left out")

    def _take_all(self, batch: Batch, found: Chunk) -> None:
        for frame in found.frames():
            self._take(batch, frame)

    def _take(self, batch: Batch, frame: Frame) -> None:
        batch.after = frame.after
        self.replaying = frame.after <= self._skip_to
        kind = frame.kind
        if kind == Kind.BRIEF or kind == Kind.LOG:  # noqa: PLR1714 - the first of these is nearly all that comes
            # Kept by every pipeline for its time: the last that a killed job is known to have lived.
            self.definitions.last_log = frame
        elif kind == Kind.SAMPLES:
            self.definitions.last_samples = frame
        if SIGNAL_OF.get(kind) == self.signal:
            if frame.after <= self._skip_to:
                self._define(frame)
                return
            self._count_gap(frame.sequence)
            self._expected += frame.count
            batch.add_read(self._taken(frame))
        elif kind == Kind.FLUSH:
            if frame.after > self._skip_to:
                batch.urgent = self.awaited = True
        else:
            self._define(frame)

    def _taken(self, frame: Frame) -> list[Item]:
        """Return a frame's items; one that nothing can be made of is counted, and must not hold up the others."""
        structure = None if frame.kind == Kind.OTLP_METRICS else frame.decode()
        if structure is not None or frame.kind == Kind.OTLP_METRICS:
            dropped = dict(self._batch.dropped)
            try:
                return self.take(frame, structure)
            except Exception:  # noqa: BLE001 - whatever stands in the frame
                self._batch.dropped = dropped
        self._batch.drop("unreadable", frame.count)
        return []

    def _define(self, frame: Frame) -> None:
        """Take a definition; one that nothing can be made of must not hold up what comes after it."""
        if frame.kind not in _DEFINITIONS:
            return
        try:
            structure = frame.decode()
            self.definitions.take(structure, frame.kind)
            self.define(structure)
            if isinstance(structure, frames.End):
                self._batch.urgent = True
            sequences = structure.sequences if isinstance(structure, frames.Segment | frames.End) else ()
            if sequences and frame.after > self._skip_to:
                self._count_gap(sequences[self.signal])
        except Exception:  # noqa: BLE001 - whatever stands in the frame
            if _ODD not in self.cursor.warnings:
                self.cursor.warnings.append(_ODD)

    def _count_gap(self, sequence: int) -> None:
        """Count the records whose frames are gone: evicted for the disk budget, or damaged."""
        # A number that comes late, as a signal's handler wrote in between, makes up for the gap counted before.
        self._batch.drop(EVICTED, sequence - self._expected)
        self._expected = sequence

    def _is_due(self, batch: Batch) -> bool:
        if batch.final or self._outbox.sends:
            return True
        if not batch.items:
            # Nothing to send, but the place has to move on: a segment is deleted when all pipelines are past it.
            # Not beyond a record that waits alone: whether it is tried, the outbox says.
            counted = batch.dropped or batch.delivered
            return bool(self._outbox or counted) or batch.after.segment > self.cursor.segment
        aged = batch.since is not None and time.monotonic() - batch.since >= AGE_SECONDS
        return batch.urgent or aged or batch.size >= self.throttle.batch_bytes

    def _send(self, batch: Batch, send: Send) -> bool:
        cursor = self.cursor
        if batch.items:
            items, self._outgoing = batch.hand_over()
            self._outbox.add(items)
            self.handed_over()
        if self._outbox:
            if not self.file.stands():
                return False
            if self.awaited:
                self.awaited = False
                send.hurry()
            result = self._outbox.deliver(send)
            if result is None:
                return False
            result.add_to(cursor, batch)
            if self._outbox:
                self.file.save()
                return result.accepted
        if batch.after > cursor.position:
            cursor.segment, cursor.offset = batch.after
        cursor.sequence = self._expected
        batch.count_in(cursor)
        cursor.state = self.state()
        cursor.complete = batch.final
        self.file.save()
        self._batch = Batch(after=batch.after)
        self.committed()
        return True

    def give_up(self, sequence: int, *, killed: bool) -> None:
        """Count all that was not accepted as evicted: its segments are deleted to keep within a budget.

        Args:
            sequence: Number that the journal's next record of this signal would have had.
            killed: The journal's process did not end it.
        """
        cursor, batch = self.cursor, self._batch
        pending = sum(item.count for item in (*batch.items, *self._outbox.left))
        batch.drop(EVICTED, pending + max(sequence - self._expected, 0))
        batch.count_in(cursor)
        cursor.sequence = max(sequence, self._expected)
        cursor.complete, cursor.killed = True, killed
        self._batch, self._outbox = Batch(), Outbox(self.encode)
        self.file.save()


def _nothing(_items: list[Any]) -> bytes:
    return b""


_ODD: Final = "a definition in the journal could not be understood"
_DEFINITIONS: Final = frozenset(
    {Kind.SEGMENT, Kind.SCOPE, Kind.SERIES, Kind.TEMPLATE, Kind.SPAN_OPEN, Kind.SPAN, Kind.JOB, Kind.END}
)
