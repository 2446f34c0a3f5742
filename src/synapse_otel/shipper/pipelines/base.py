"""A pipeline: one signal of one journal, from its frames to requests that the server has truly accepted.

Each signal has a cursor of its own, so a backend that is away holds up nothing but its own signal.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from bisect import bisect_left
from math import inf
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec

from synapse_otel import semconv
from synapse_otel.journal import frames
from synapse_otel.journal.cursor import EVICTED, Cursor, read_cursor
from synapse_otel.journal.folder import STATE_FILE, read_exit
from synapse_otel.journal.frames import SIGNAL_OF, Kind
from synapse_otel.journal.reader import Frame, JournalReader, Position
from synapse_otel.journal.state_block import BLOCK_SIZE, SlotValue, read_block
from synapse_otel.journal.usage import read_usage
from synapse_otel.otlp.encode import values as encode_values
from synapse_otel.otlp.encode.request import Group, request
from synapse_otel.semconv.progress import Progress
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.pipelines.cursor_file import CursorFile
from synapse_otel.shipper.pipelines.delivery import Delivery, Outbox, Send
from synapse_otel.shipper.pipelines.open_spans import Death, OpenJobs, OpenSpans
from synapse_otel.shipper.pipelines.queue import Batch, Item
from synapse_otel.shipper.throttle import AT_ONCE, Throttle

AGE_SECONDS: Final = 1.0


class SignalPipeline(ABC):
    """Reads, batches and delivers one signal of one journal."""

    signal: ClassVar[Signal]
    skips: ClassVar[frozenset[int]] = frozenset({int(Kind.LOG), int(Kind.BRIEF)})
    """Kinds of frames of which the last one read is enough: for its time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.throttle: Throttle = AT_ONCE
        self.cursor: Cursor = read_cursor(folder, self.signal)
        self.segment: frames.Segment | None = None
        self.scopes: dict[int, frames.Scope] = {}
        self.open = OpenSpans()
        self.jobs = OpenJobs()
        self.last_time = 0
        """Unix time in ns of the last thing that the journal knows."""
        self.awaited = False
        """Somebody waits for the delivery: the next try comes at once, whatever failed before."""
        self.replaying = False
        """What is read now was delivered before: only what it defines is wanted."""
        self.has_read = False
        """Something was read; for whoever looks how much goes on."""
        self._expected = self.cursor.sequence
        self._batch = Batch()
        self._outbox = Outbox(self.encode)
        self.ended_well = False
        """The journal's process has closed it."""
        self._last_log: Frame | None = None
        self._last_samples: Frame | None = None
        self._outgoing = 0
        self.file = CursorFile(folder, self.signal, self.cursor)
        try:
            self.restore(self.cursor.state)
        except (msgspec.ValidationError, TypeError, ValueError, AttributeError):
            self.cursor.warnings.append("the state of the delivery was damaged: sums begin again")
            self.restore({})
        self._reader = JournalReader(folder, Position(self.cursor.segment, 0))
        self._skip_to = self.cursor.position

    # --- what each signal does ----------------------------------------------------------------------

    @abstractmethod
    def take(self, frame: Frame, structure: Any) -> list[Item]:
        """Turn a frame of this signal into items."""

    def encode(self, items: list[Item]) -> bytes:
        """Return the body of a request with these items."""
        return self.join([(item.scope, item.record) for item in items])

    def restore(self, state: dict[str, Any]) -> None:  # noqa: B027 - most pipelines have no state
        """Take up the state that the cursor kept."""

    def state(self) -> dict[str, Any]:
        """Return what the cursor must keep."""
        return {}

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

    def hurry(self) -> None:
        """Send what has been read at the next step, however little it is."""
        self._batch.urgent = True

    @property
    def pending(self) -> int:
        """Records that were read and not accepted yet."""
        return sum(item.count for item in (*self._batch.items, *self._outbox.left))

    @property
    def held_bytes(self) -> int:
        """About how many bytes were read and not accepted yet; 0 when nothing waits."""
        return self._batch.size + bool(self._batch.items) + (self._outgoing if self._outbox else 0)

    @property
    def waits(self) -> bool:
        """Whether there is something to be tried again later: a request, or to write the cursor."""
        return bool(self._batch.items or self._outbox) or not self.file.saved

    def stirs(self) -> bool:
        """Say whether more stands in the journal than was read, and could be read now."""
        return not self._outbox.sends and not self._reader.is_quiet()

    def reopen(self) -> None:
        """Go on with a journal whose process was taken for dead, and has written more."""
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
        while batch.size < self.throttle.batch_bytes and not batch.final:
            found = self._reader.read(ended=ended, limit=self.throttle.read_bytes, skip=self.skips)
            self.has_read = self.has_read or bool(found)
            self._take_all(batch, found)
            self.throttle.rest()
            if not found:
                if ended:
                    self._finish(batch)
                break
        batch.add(self.due(alive=not ended))

    def _finish(self, batch: Batch) -> None:
        batch.final = True
        batch.urgent = True
        self.cursor.killed = not self.ended_well
        batch.add(self.closing(killed=self.cursor.killed))
        lost = self._reader.damage.bytes
        if lost:
            self.cursor.warnings.append(f"{lost} damaged bytes of the journal were left out")

    def _take_all(self, batch: Batch, found: list[Frame]) -> None:
        for frame in found:
            self._take(batch, frame)

    def _take(self, batch: Batch, frame: Frame) -> None:
        batch.after = frame.after
        self.replaying = frame.after <= self._skip_to
        kind = frame.kind
        if kind == Kind.BRIEF or kind == Kind.LOG:  # noqa: PLR1714 - the first of these is nearly all that comes
            # Kept by every pipeline for its time: the last that a killed job is known to have lived.
            self._last_log = frame
        elif kind == Kind.SAMPLES:
            self._last_samples = frame
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
        if frame.kind in _DEFINITIONS:
            try:
                self._defined(frame)
            except Exception:  # noqa: BLE001 - whatever stands in the frame
                if _ODD not in self.cursor.warnings:
                    self.cursor.warnings.append(_ODD)

    def _defined(self, frame: Frame) -> None:
        structure = frame.decode()
        if isinstance(structure, frames.Segment):
            self.segment = structure
            self.last_time = max(self.last_time, structure.created)
            self.on_segment(structure)
            if frame.after > self._skip_to:
                self._count_gap(structure.sequences[self.signal])
        elif isinstance(structure, frames.Scope):
            self.scopes[structure.id] = structure
        elif isinstance(structure, frames.Span):
            self.last_time = max(self.last_time, structure.start, structure.end)
            self.open.take(structure, whole=frame.kind == Kind.SPAN)
        elif isinstance(structure, frames.Job):
            self.last_time = max(self.last_time, structure.start, structure.end)
            self.jobs.take(structure)
            self.on_job(structure)
        elif isinstance(structure, frames.End):
            self.ended_well = True
            self._batch.urgent = True
            self.last_time = max(self.last_time, structure.time)
            if structure.sequences and frame.after > self._skip_to:
                self._count_gap(structure.sequences[self.signal])
            if structure.continued:
                self.on_continued()
        else:
            self.define(structure)

    def define(self, structure: Any) -> None:  # noqa: B027 - only one pipeline has more definitions
        """Take a definition that only one signal needs."""

    def on_segment(self, segment: frames.Segment) -> None:  # noqa: B027 - only one pipeline wants to know
        """Hear of the beginning of a segment."""

    def on_continued(self) -> None:  # noqa: B027 - only one pipeline wants to know
        """Hear that the run goes on in another journal."""

    def on_job(self, job: frames.Job) -> None:  # noqa: B027 - only one pipeline wants to know
        """Hear of a job that has begun or ended."""

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
            return bool(self._outbox) or bool(batch.dropped) or batch.after.segment > self.cursor.segment
        aged = batch.since is not None and time.monotonic() - batch.since >= AGE_SECONDS
        return batch.urgent or aged or batch.size >= self.throttle.batch_bytes

    def _send(self, batch: Batch, send: Send) -> bool:
        cursor = self.cursor
        self._hand_over(batch)
        if self._outbox:
            if not self.file.stands():
                return False
            if self.awaited:
                self.awaited = False
                send.hurry()
            result = self._outbox.deliver(send)
            if result is None:
                return False
            self._account(result)
            if self._outbox:
                self.file.save()
                return result.accepted
        if batch.after > cursor.position:
            cursor.segment, cursor.offset = batch.after
        cursor.sequence = self._expected
        cursor.delivered += batch.delivered
        cursor.drop(batch.dropped)
        cursor.state = self.state()
        cursor.complete = batch.final
        self.file.save()
        self._batch = Batch(after=batch.after)
        self.committed()
        return True

    def _hand_over(self, batch: Batch) -> None:
        if batch.items:
            items, self._outgoing = batch.hand_over()
            self._outbox.add(items)
            self.handed_over()

    def _account(self, result: Delivery) -> None:
        cursor = self.cursor
        cursor.attempts += result.attempts
        cursor.retries += result.retries
        cursor.size += result.size
        for seconds in result.seconds:
            cursor.exports = cursor.exports or [0] * (len(semconv.EXPORT_BUCKETS) + 1)
            cursor.exports[bisect_left(semconv.EXPORT_BUCKETS, seconds)] += 1
            cursor.export_seconds += seconds
        self._batch.delivered += result.delivered
        cursor.failure = result.failure
        for reason, count in result.dropped.items():
            self._batch.drop(reason, count)
        for warning in result.warnings:
            if warning not in cursor.warnings and len(cursor.warnings) < _WARNINGS_KEPT:
                cursor.warnings.append(warning)

    def give_up(self, sequence: int, *, killed: bool) -> None:
        """Count all that was not accepted as evicted: its segments are deleted to keep within a budget.

        Args:
            sequence: Number that the journal's next record of this signal would have had.
            killed: The journal's process did not end it.
        """
        cursor, batch = self.cursor, self._batch
        batch.drop(EVICTED, self.pending + max(sequence - self._expected, 0))
        cursor.delivered += batch.delivered
        cursor.drop(batch.dropped)
        cursor.sequence = max(sequence, self._expected)
        cursor.complete, cursor.killed = True, killed
        self._batch, self._outbox = Batch(), Outbox(self.encode)
        self.file.save()

    # --- requests -----------------------------------------------------------------------------------

    def join(self, records: list[tuple[int, bytes]], ready: list[bytes] | None = None) -> bytes:
        """Return the body of a request with encoded records, each with the number of its scope."""
        groups: dict[int, list[bytes]] = {}
        for scope, record in records:
            groups.setdefault(scope, []).append(record)
        segment = self.segment
        return request(
            encode_values.resource(segment.resource if segment else {}),
            [self._group(scope, encoded) for scope, encoded in groups.items()],
            schema_url=segment.schema_url if segment else "",
            ready=ready or [],
        )

    def _group(self, number: int, records: list[bytes]) -> Group:
        scope = self.scopes.get(number) or frames.Scope(number, "")
        return Group(encode_values.scope(scope), records, scope.schema_url)

    def uid(self, sequence: int) -> str:
        """Return the ``log.record.uid`` of a record: the journal and its number in it."""
        return f"{self.segment.journal if self.segment else ''}-{sequence:x}"

    def time_of_death(self) -> int:
        """Return the Unix time in ns of the last thing that the journal knows; a killed process died then."""
        for frame in (self._last_log, self._last_samples):
            structure = frame.decode() if frame is not None else None
            if isinstance(structure, frames.Log | frames.Brief | frames.Samples):
                self.last_time = max(self.last_time, structure.time)
        for slot in self.slots():
            if isinstance(slot.value, Progress):
                self.last_time = max(self.last_time, slot.value.time)
        return self.last_time

    def death(self) -> Death:
        """Return how the process of a journal that nobody closed came to its end, as far as it is known."""
        return Death.of(read_exit(self.folder), oom_killed=read_usage(self.folder).oom_kill is not None)

    def slots(self) -> list[SlotValue]:
        """Return what the state block of the journal holds."""
        try:
            data = (self.folder / STATE_FILE).read_bytes()
        except FileNotFoundError:
            return []  # the folder is being deleted
        return list(read_block(memoryview(data[:BLOCK_SIZE])))


def _nothing(_items: list[Any]) -> bytes:
    return b""


_ODD: Final = "a definition in the journal could not be understood"
_WARNINGS_KEPT: Final = 20
_DEFINITIONS: Final = frozenset(
    {Kind.SEGMENT, Kind.SCOPE, Kind.SERIES, Kind.TEMPLATE, Kind.SPAN_OPEN, Kind.SPAN, Kind.JOB, Kind.END}
)
