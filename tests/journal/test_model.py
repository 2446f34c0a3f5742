"""Journal, shipper and crash in any order: what must never be lost is not, whatever comes after what.

The code is the real one, on real files; the disk may lose its power (`power.py`). More and longer walks:
``SYNAPSE_OTEL_MODEL_EXAMPLES=2000 pytest tests/journal/test_model.py``.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from random import Random
from shutil import rmtree
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from synapse_otel.journal import creation, frames, segment, writer
from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.folder import run_folders
from synapse_otel.journal.frames import Kind
from synapse_otel.journal.writer import JournalWriter
from synapse_otel.otlp.outcome import Accepted, Invalid, Retry
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.claimed_journal import ClaimedJournal
from synapse_otel.shipper.pipelines.outbox import INVALID
from synapse_otel.shipper.pipelines.poison_records import Tally
from tests.journal.power import Disk
from tests.sink import attributes

pytestmark = pytest.mark.once

EXAMPLES = int(os.environ.get("SYNAPSE_OTEL_MODEL_EXAMPLES", "60"))
SEGMENT = 1 << 14
SIZES = st.sampled_from([0, 100, 3_000, 9_000, 20_000])


class Server:
    """Stands where the network begins, and answers as it is told."""

    exporter = ""

    def __init__(self) -> None:
        self.answer = "accept"
        self.arrived: dict[str, str] = {}
        """By ``log.record.uid``, the text."""
        self.refused: set[str] = set()
        self._tally = Tally()

    def ready(self) -> bool:
        return True

    def hurry(self) -> None:
        """Nobody waits here."""

    def tally(self) -> Tally:
        return self._tally

    def __call__(self, body: bytes, *, suspect: bool = False) -> Accepted | Invalid | Retry:
        request = ExportLogsServiceRequest.FromString(body)
        found = [record for part in request.resource_logs for scope in part.scope_logs for record in scope.log_records]
        if self.answer == "retry":
            return Retry("away")
        if self.answer == "invalid" and any("bad" in record.body.string_value for record in found):
            return Invalid("bad")
        for record in found:
            uid = attributes(record)["log.record.uid"]
            text = record.body.string_value
            assert self.arrived.setdefault(uid, text) == text, "two records share a uid"
        return Accepted()

    def quarantine(self, item, body: bytes, reason: str) -> bool:
        self.refused.add(item.uid)
        return True


class Other(Server):
    """Takes what the other signals send."""

    def __call__(self, body: bytes, *, suspect: bool = False) -> Accepted:
        return Accepted()


class Life(RuleBasedStateMachine):
    """A job's process and a shipper's, both of which may die, on a machine whose power may fail."""

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp(prefix="synapse-model-"))
        self.disk = Disk(self.base)
        self.top = self.base / "state"
        self.root = self.top / "journals"
        self.runs: dict[str, str] = {}
        """By id of a journal, the name of its folder."""
        self.power_was_lost = False
        self.before = writer.SEGMENT_SIZE, segment._fallocate
        writer.SEGMENT_SIZE = SEGMENT
        self.server, self.other = Server(), Other()
        self.journal: JournalWriter | None = None
        self.shipped: ClaimedJournal | None = None
        self.count = 0
        self.recorded: dict[str, str] = {}
        """By uid, the text of every record whose call returned, and that the disk may still be asked for."""
        self.safe: set[str] = set()
        """Uids of those that outlive a loss of power."""
        self.ended: set[str] = set()
        """Journals whose process closed them."""

    def teardown(self) -> None:
        writer.SEGMENT_SIZE, segment._fallocate = self.before
        try:
            self.check_all_arrives()
        finally:
            self.disk.close()
            rmtree(self.base)

    # --- the job ------------------------------------------------------------------------------------

    @precondition(lambda self: self.journal is None)
    @rule(mapped=st.booleans())
    def start_job(self, mapped):
        segment._fallocate = self.before[1] if mapped else lambda: None
        name = f"{len(self.runs):032x}"
        with (
            patch.object(creation, "new_folder_name", lambda _name: f"run-{name}"),
            patch.object(creation, "birth", lambda: ""),  # a job that is killed is not seen to live on in this process
        ):
            self.journal, _ = create_journal(
                self.root, "run", {"a": 1}, destination="d", budget=1 << 30, journal_id=name
            )
        self.runs[self.journal.run.journal] = self.journal.folder.name

    @precondition(lambda self: self.journal is not None)
    @rule(size=SIZES, bad=st.booleans(), number=st.integers(1, 4))
    def record(self, size, bad, number):
        for _ in range(number):
            self.count += 1
            text = f"{'bad' if bad else 'good'} {self.count} "
            sequence = self.journal.sequences[Signal.LOGS]
            payload = frames.encode([self.count, 9, None, None, text + "x" * size, {}, b"", 0])
            self.journal.append(Kind.LOG, Signal.LOGS, payload)
            assert self.journal.dropped == [0, 0, 0]
            self.recorded[f"{self.journal.run.journal}-{sequence:x}"] = text + "x" * size

    @precondition(lambda self: self.journal is not None)
    @rule(size=SIZES, between=st.integers(0, 3))
    def record_error(self, size, between):
        """An error, and what other threads record before it is synced."""
        self.record(size, False, 1)
        error = list(self.recorded)[-1]
        if between:
            self.record(9_000, False, between)
        self.journal.sync()
        self.safe.add(error)

    @precondition(lambda self: self.journal is not None)
    @rule()
    def end_job(self):
        self.journal.close()
        self.ended.add(self.journal.run.journal)
        self.safe |= self.of(self.journal)
        self.journal = None

    @precondition(lambda self: self.journal is not None)
    @rule()
    def kill_job(self):
        self.journal.abandon()
        self.journal = None

    # --- the shipper --------------------------------------------------------------------------------

    def take_in_hand(self, data):
        if self.shipped is None:
            self.shipped = ClaimedJournal.take(data.draw(st.sampled_from(self.folders())), interval_seconds=1000)

    @precondition(lambda self: self.folders())
    @rule(data=st.data(), answer=st.sampled_from(["accept", "accept", "retry", "invalid"]))
    def deliver(self, data, answer):
        self.take_in_hand(data)
        self.server.answer = answer
        self.step(self.shipped)
        self.shipped.clean()

    @precondition(lambda self: self.folders())
    @rule(data=st.data())
    def sync(self, data):
        """About once a second: all that is older is safe."""
        self.take_in_hand(data)
        self.shipped.sync()
        run = self.shipped.folder.name
        self.safe |= {uid for uid in self.recorded if self.runs[uid.partition("-")[0]] == run}

    @precondition(lambda self: self.shipped is not None)
    @rule(kill=st.booleans())
    def let_go(self, kill):
        if kill:
            for pipeline in self.shipped.pipelines.values():
                pipeline.close()
            self.shipped._lock.release()
        else:
            self.shipped.close()
        self.shipped = None

    # --- the machine --------------------------------------------------------------------------------

    @precondition(lambda self: self.root.exists())
    @rule(seed=st.integers(0, 1 << 16), share=st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0]))
    def lose_power(self, seed, share):
        random = Random(seed)
        if self.shipped is not None:
            self.let_go(kill=True)
        if self.journal is not None:
            self.kill_job()
        self.top = self.disk.lose_power(self.top, lambda: random.random() < share)
        self.root = self.top / "journals"
        self.power_was_lost = True
        # What was not safe may be gone; what is left of it must still be right.
        self.recorded = {uid: text for uid, text in self.recorded.items() if uid in self.safe}

    # --- what holds ---------------------------------------------------------------------------------

    @invariant()
    def a_cursor_never_passes_what_was_not_accepted_or_counted(self):
        for folder in self.folders():
            cursor = read_cursor(folder, Signal.LOGS)
            assert cursor.delivered + sum(cursor.dropped.values()) == cursor.sequence
            journal = next((key for key, name in self.runs.items() if name == folder.name), "")
            passed = {f"{journal}-{sequence:x}" for sequence in range(cursor.sequence)}
            assert (passed & self.recorded.keys()) <= self.server.arrived.keys() | self.server.refused

    def check_all_arrives(self):
        if self.shipped is not None:
            self.let_go(kill=True)
        if self.journal is not None:
            self.kill_job()
        self.server.answer = "accept"
        for folder in self.folders():
            journal = ClaimedJournal.take(folder, interval_seconds=1000)
            for _ in range(200):
                self.step(journal)
                if journal.complete:
                    break
            assert journal.complete, folder
            name = next((key for key, name in self.runs.items() if name == folder.name), None)
            cursor = journal.pipelines[Signal.LOGS].cursor
            assert cursor.killed == (name not in self.ended), f"{name in self.ended=}, {cursor.killed=}"
            if not self.power_was_lost:
                assert set(cursor.dropped) <= {INVALID}
            journal.close()
        there = {folder.name for folder in self.folders()}
        assert {self.runs[journal] for journal in self.ended} <= there
        missing = self.recorded.keys() - self.server.arrived.keys() - self.server.refused
        assert not missing, f"{len(missing)} of {len(self.recorded)} records are lost"
        assert all(
            self.server.arrived[uid] == text for uid, text in self.recorded.items() if uid in self.server.arrived
        )

    # --- small parts --------------------------------------------------------------------------------

    def step(self, journal):
        for signal, pipeline in journal.pipelines.items():
            pipeline.hurry()
            journal.watch()
            pipeline.step(self.server if signal == Signal.LOGS else self.other, ended=journal.ended)

    def folders(self):
        return list(run_folders(self.root))

    def of(self, journal):
        return {uid for uid in self.recorded if uid.startswith(journal.run.journal)}


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    derandomize="SYNAPSE_OTEL_MODEL_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
