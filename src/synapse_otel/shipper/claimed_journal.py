"""A journal in the shipper's hands: its three pipelines, whether its process lives, syncing and cleaning up."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from time import monotonic, sleep

from synapse_otel.journal.cursor import Cursor, cursor_path
from synapse_otel.journal.files.lock_holder import Role, SignOfLife
from synapse_otel.journal.files.locks import FileLock
from synapse_otel.journal.files.syncing import sync_file, sync_folder
from synapse_otel.journal.folder import (
    RUN_FILE,
    SHIP_LOCK,
    STATE_FILE,
    read_run,
    segment_numbers,
    segment_path,
)
from synapse_otel.journal.frames import FORMAT_VERSION
from synapse_otel.journal.liveness import lives
from synapse_otel.journal.reader import JournalReader, last_sequences
from synapse_otel.journal.summary import summarise, write_summary
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.pipelines.base import SignalPipeline
from synapse_otel.shipper.pipelines.logs import LogsPipeline
from synapse_otel.shipper.pipelines.metrics import MetricsPipeline
from synapse_otel.shipper.pipelines.outbox import Send
from synapse_otel.shipper.pipelines.shared_chunks import SharedChunks
from synapse_otel.shipper.pipelines.traces import TracesPipeline
from synapse_otel.shipper.usage.following import JournalUsage
from synapse_otel.shipper.writer_process import LOOK_SECONDS, WriterProcess


class ClaimedJournal:
    """A journal that this shipper alone delivers: it holds the journal's ship lock."""

    def __init__(
        self, folder: Path, lock: FileLock, *, interval_seconds: float, role: Role, chunks: SharedChunks
    ) -> None:
        self.folder = folder
        self._lock = lock
        self._told_of = _changed(folder / RUN_FILE)
        self._run = run = read_run(folder)
        self.destination = run.destination if run else ""
        """Key of the destination that it was for when it was taken."""
        self._sign = SignOfLife(folder / SHIP_LOCK, role, self.destination)
        self._keep, self._retain = (run.keep, run.retain) if run else (True, False)
        self._process = WriterProcess(folder, run)
        self._metrics = MetricsPipeline(folder, interval_seconds, self_telemetry=run.self_telemetry if run else True)
        self._traces = TracesPipeline(folder)
        self.pipelines: dict[Signal, SignalPipeline] = {
            Signal.LOGS: LogsPipeline(folder),
            Signal.METRICS: self._metrics,
            Signal.TRACES: self._traces,
        }
        self._chunks = chunks
        for pipeline in self.pipelines.values():
            pipeline.share(chunks)
            pipeline.file.stands = self._sign.stands
        if has_come_back(folder, [pipeline.cursor for pipeline in self.pipelines.values()]):
            for pipeline in self.pipelines.values():
                pipeline.reopen()
        self.leaves = False
        """It is to be let go of, and nothing more of it is begun: another shipper delivers it."""
        self.ended = False
        self._told = False
        """Whether it was said that the process has ended, whichever thread has seen it."""
        self.moved = monotonic()
        """When something of it was delivered last, or when it was claimed."""
        self.has_moved = False
        self._hands = {signal: Lock() for signal in Signal}
        """Held while a pipeline works: the journal is released only under it."""
        self.usage: JournalUsage | None = None
        """What its process uses, where that is sampled."""
        self._closed = False
        self._cleaned: tuple[int, bool] | None = None
        self._synced = -1

    @classmethod
    def take(
        cls, folder: Path, *, interval_seconds: float, role: Role = Role.THREAD, chunks: SharedChunks | None = None
    ) -> ClaimedJournal | None:
        """Claim a journal for a shipper in a role; None if another one has.

        ``interval_seconds`` stand between two exports of the progress. ``chunks`` are those of all journals of the
        shipper.

        Raises:
            OSError: the journal cannot be read or written, or is of a newer version.
        """
        run = read_run(folder)
        if run is not None and run.version > FORMAT_VERSION:
            msg = (
                f"a journal of a newer format ({run.version}, while this release knows {FORMAT_VERSION}): left as it is"
            )
            raise OSError(errno.ENOTSUP, msg)
        lock = FileLock(folder / SHIP_LOCK)
        if not lock.acquire():
            return None
        try:
            return cls(folder, lock, interval_seconds=interval_seconds, role=role, chunks=chunks or SharedChunks())
        except BaseException:
            lock.release()
            raise

    def follow(self, usage: JournalUsage) -> None:
        """Have it told what the journal's process uses."""
        self.usage = self._metrics.usage = self._traces.usage = usage

    @property
    def complete(self) -> bool:
        """Whether the journal has ended and all of it is delivered."""
        return all(pipeline.cursor.complete for pipeline in self.pipelines.values())

    @property
    def is_doubtful(self) -> bool:
        """Whether its process was presumed dead, and may live all the same: it is not to be seen from here."""
        killed = any(pipeline.cursor.killed for pipeline in self.pipelines.values())
        return killed and lives(self._run) is None

    @property
    def runs_job(self) -> bool:
        """Whether a job runs, as far as the journal was read."""
        return self._metrics.runs_job

    @property
    def saved(self) -> bool:
        """Whether all cursors stand on the disk as they are here."""
        return all(pipeline.file.saved for pipeline in self.pipelines.values())

    def step(self, signal: Signal, sender: Send) -> bool:
        """Give a pipeline its turn; return whether there may be more to do at once."""
        with self._hands[signal]:
            if self._closed or self.leaves:
                return False
            self.watch()
            pipeline = self.pipelines[signal]
            accepted = pipeline.step(sender, ended=self.ended)
            if accepted:
                self.moved = monotonic()
                self.has_moved = True
            has_read, pipeline.has_read = pipeline.has_read, False
            # When the journal has ended nothing stirs any more, but its end is still to be delivered.
            return has_read or (accepted and self.ended)

    def watch(self) -> None:
        """Look whether the process that writes the journal still lives.

        One that was presumed dead, and writes on, is found by `has_come_back` when all is delivered that it had
        written.
        """
        if not self.ended and self._process.look(self.pipelines.values()):
            for pipeline in self.pipelines.values():
                pipeline.awaited = True
            self.ended = True

    def settle(self) -> None:
        """Look whether the process lives; of one that is gone, wait for its parent's word if one is to be expected."""
        self.watch()
        while not self.ended and self._process.awaits_exit:
            sleep(LOOK_SECONDS)
            self.watch()

    def stirs(self) -> bool:
        """Return whether something was written, or the process has ended, since the pipelines last looked."""
        self.watch()
        if self.ended and not self._told:
            self._told = True
            return True
        return any(pipeline.stirs() for pipeline in self.pipelines.values())

    def beat(self) -> None:
        """Give a sign of life, and look whether the journal is still this shipper's to deliver."""
        if not self._sign.stands():  # it was replaced, having been stopped for long: it neither sends nor writes
            self.leaves = True
            return
        self._sign.beat()
        changed = _changed(self.folder / RUN_FILE)
        if changed != self._told_of:
            self._told_of = changed
            run = read_run(self.folder)
            if run is not None and run.destination != self.destination:
                self.leaves = True

    def sync(self) -> None:
        """Bring what the journal's process has written since the last call to the disk."""
        numbers = segment_numbers(self.folder)
        for number in numbers:
            if number >= self._synced:
                sync_file(segment_path(self.folder, number))
        sync_file(self.folder / STATE_FILE)
        if self._synced < 0:
            sync_file(self.folder / RUN_FILE)
            sync_folder(self.folder.parent)
        if numbers and numbers[-1] != self._synced:
            sync_folder(self.folder)  # a file without its name is lost
            self._synced = numbers[-1]

    def clean(self) -> None:
        """Delete the segments that every pipeline has delivered, unless they are to stay.

        On a disk that has no room for a cursor they make room, one by one.
        """
        places = [self._place(pipeline) for pipeline in self.pipelines.values()]
        delivered = min(segment for segment, _ in places), all(complete for _, complete in places)
        if delivered != self._cleaned and (self._keep or (self._retain and self.saved)):
            if delivered[1]:
                self._complete()
            self._cleaned = delivered
        elif delivered != self._cleaned:
            for signal in self.pipelines:  # an older cursor, after a power failure, would count what is deleted as lost
                sync_file(cursor_path(self.folder, signal))
            sync_folder(self.folder)  # each write gives the cursor's name to another file
            if delivered[1]:
                self._complete()
            numbers = segment_numbers(self.folder)
            kept = numbers[-1] if numbers and self.is_doubtful else 0
            for number in numbers:
                if number < delivered[0] or (delivered[1] and number != kept):
                    segment_path(self.folder, number).unlink(missing_ok=True)
                    if not self._save_again():
                        return  # the room of one segment was not enough: once more, later
                    if self._retain:
                        break
            self._cleaned = delivered
        self._save_again()

    def _complete(self) -> None:
        """Write the summary of a run that is delivered, so that lists need not read it."""
        with suppress(OSError):  # a full disk: what it would tell of is gone then, and its room is needed
            summary = summarise(self.folder)
            summary.metrics = self._metrics.values
            write_summary(self.folder, summary)

    def _place(self, pipeline: SignalPipeline) -> tuple[int, bool]:
        """Return how far a pipeline's segments may be deleted: as far as its cursor on the disk has come.

        Where the disk has no room for a cursor, the segments that are delivered go first, and make it.
        """
        return pipeline.file.kept if self.saved else (pipeline.cursor.segment, pipeline.cursor.complete)

    def _save_again(self) -> bool:
        """Write the cursors that could not be written before; return whether none is left."""
        for signal, pipeline in self.pipelines.items():
            if not pipeline.file.saved and self._hands[signal].acquire(blocking=False):
                try:
                    pipeline.file.save_again()
                finally:
                    self._hands[signal].release()
        return self.saved

    def abandon(self) -> bool:
        """Delete a journal whose process is gone, all that is left of it counted as evicted, and let go of it.

        Returns:
            False if one of its pipelines is just being delivered: nothing was done.
        """
        with self._all_hands() as free:
            if not free:
                return False
            sequences, ended = last_sequences(self.folder)
            for signal, pipeline in self.pipelines.items():
                pipeline.give_up(sequences[signal], killed=not ended)
            for number in segment_numbers(self.folder):
                segment_path(self.folder, number).unlink(missing_ok=True)
            self._let_go()
        return True

    def close(self) -> bool:
        """Let go of the journal; return False if one of its pipelines is just being delivered."""
        with self._all_hands() as free:
            if free:
                self._let_go()
            return free

    def _let_go(self) -> None:
        if not self._closed:
            self._closed = True
            for pipeline in self.pipelines.values():
                pipeline.file.save_again()
                pipeline.close()
            self._chunks.forget(self.folder)
            self._sign.withdraw()
            self._lock.release()

    @contextmanager
    def _all_hands(self) -> Iterator[bool]:
        """Keep all pipelines from being worked on, if nobody works on one now; return whether that is so."""
        taken = [hand for hand in self._hands.values() if hand.acquire(blocking=False)]
        try:
            yield len(taken) == len(self._hands)
        finally:
            for hand in taken:
                hand.release()


def has_come_back(folder: Path, cursors: list[Cursor]) -> bool:
    """Return whether a process that was presumed dead, with all delivered that it had written, has written more."""
    if not (all(cursor.complete for cursor in cursors) and any(cursor.killed for cursor in cursors)):
        return False
    reader = JournalReader(folder, min(cursor.position for cursor in cursors))
    try:
        return bool(reader.read(ended=False))
    finally:
        reader.close()


def _changed(path: Path) -> tuple[int, int]:
    """Return what is different when a file was replaced."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_ino, status.st_mtime_ns
