"""Samples, sums and progress as they arrive, over restarts of the shipper; and what is kept of delivered runs."""

from __future__ import annotations

import os
import time

import pytest

from synapse_otel import semconv
from synapse_otel.journal import frames
from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.cursor import read_cursor
from synapse_otel.journal.folder import Exit, write_exit
from synapse_otel.journal.frames import Kind
from synapse_otel.journal.state_block import StateBlock
from synapse_otel.journal.summary import read_summary
from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.configuration import Limits
from synapse_otel.shipper.retention import delete_leftovers
from tests.shipping import shipper_of

pytestmark = pytest.mark.once

MILLISECOND = 1_000_000
SECOND = 1_000 * MILLISECOND
START = 1_790_000_000_000 * MILLISECOND
SPAN = b"job-span"


class Journal:
    """A journal with a gauge, a counter, a histogram and a job."""

    def __init__(self, root, sink):
        self.writer, state = create_journal(root, "run", {}, destination="key", budget=1 << 26)
        self.block = StateBlock()
        self.block.move(state)
        urls = {name: Endpoint(url=f"{sink.url}/v1/{name}") for name in ("logs", "metrics", "traces")}
        self.destination = Destination(**urls)
        self.define(Kind.SCOPE, [0, semconv.SCOPE_NAME])
        self.define(Kind.SERIES, [1, 0, "gauge", "g", "", "", {}])
        self.define(Kind.SERIES, [2, 0, "counter", "c", "", "", {"a": "b"}])
        self.define(Kind.SERIES, [3, 0, "histogram", "h", "s", "", {}, [1.0, 10.0]])
        attributes = {semconv.JOB_ID: "j", semconv.ACTION: "train", semconv.PLUGIN_NAME: "p"}
        self.span = [b"t" * 16, SPAN, b"", 1, "", "train p", 1, START, 0, attributes, 0]
        self.define(Kind.SPAN_OPEN, self.span)
        self.job = [SPAN, START, attributes, "train", b"t" * 16 + SPAN + b"\1", 0]
        self.define(Kind.JOB, self.job)

    def define(self, kind, fields):
        self.writer.define((kind, fields[0]), kind, frames.encode(fields))

    def sample(self, time, *pairs, span=()):
        self.writer.append(Kind.SAMPLES, Signal.METRICS, frames.encode([time, list(pairs), *span]), len(pairs) // 2)

    def end_job(self):
        self.writer.append(Kind.SPAN, Signal.TRACES, frames.encode([*self.span[:8], START + 1, *self.span[9:]]))
        self.writer.forget((Kind.SPAN_OPEN, self.span[0]))
        self.define(Kind.JOB, [*self.job, True, START + 1])
        self.writer.forget((Kind.JOB, SPAN))

    def deliver(self):
        """Deliver by a shipper that begins anew, as after a kill."""
        shipper = shipper_of([], self.destination, "key")
        try:
            assert shipper.deliver_once(self.writer.folder)
        finally:
            shipper.stop()
        return read_cursor(self.writer.folder, Signal.METRICS)


@pytest.fixture
def journal(tmp_path, sink):
    made = Journal(tmp_path / "root", sink)
    yield made
    made.writer.close()


def test_samples_within_a_millisecond_move_to_the_next_free_one(sink, journal):
    for number in range(5):
        journal.sample(START + number, 1, float(number))
    journal.sample(START + 10 * MILLISECOND, 1, 5.0)
    journal.deliver()
    points = sink.points("g")
    assert [point.value for point in points] == [0, 1, 2, 3, 4, 5]
    assert [(point.time - START) // MILLISECOND for point in points] == [0, 1, 2, 3, 4, 10]


def test_samples_beyond_a_second_ahead_are_merged_the_newest_wins_and_all_are_counted(sink, journal):
    for number in range(3_000):
        journal.sample(START, 1, float(number))
    cursor = journal.deliver()
    points = sink.points("g")
    assert points[-1].value == 2_999
    assert max(point.time for point in points) - START <= 1_000 * MILLISECOND
    assert len({point.time for point in points}) == len(points)
    assert len(points) + cursor.dropped["merged into a newer sample"] == 3_000
    assert cursor.delivered + sum(cursor.dropped.values()) == cursor.sequence == 3_000


def test_sums_go_on_exactly_after_the_shipper_was_restarted(sink, journal):
    for value in (0.5, 5.0, 50.0):
        journal.sample(START, 2, 2.0, 3, value)
    journal.deliver()
    journal.sample(START + 1, 2, 3.0, 3, 1.0)
    journal.deliver()
    journal.deliver()
    assert sink.last("c") == 9
    assert sink.last("h") == (4, 56.5)
    assert len({point.start for point in sink.points("c")}) == 1, "one beginning, however often it is read anew"
    times = [point.time for point in sink.points("c")]
    assert times == sorted(times)


def test_the_values_of_metrics_go_on_after_the_shipper_was_restarted_and_end_in_the_summary(sink, journal):
    attributes = {semconv.METRIC_NAME: "loss", semconv.CATEGORY: "train"}
    journal.define(Kind.SERIES, [4, 0, "gauge", semconv.JOB_METRIC.name, "", "", attributes])
    journal.sample(START, 4, 3.0, 1, 99.0)
    journal.deliver()
    journal.sample(START + 1, 4, 1.0)
    journal.sample(START + 2, 4, float("nan"))
    journal.deliver()
    journal.sample(START + 3, 4, 2.0)
    journal.end_job()
    journal.writer.close()
    journal.deliver()
    summary = read_summary(journal.writer.folder)
    assert [(one.name, one.category, one.last, one.min, one.max) for one in summary.metrics] == [
        ("loss", "train", 2.0, 1.0, 3.0)
    ]


def test_a_histogram_keeps_where_its_last_value_was_measured_over_a_restart(sink, journal):
    span = b"t" * 16 + b"s" * 8
    journal.sample(START, 3, 0.5, span=[span])
    journal.deliver()
    journal.sample(START + 1, 3, 7.0)  # outside of any span
    journal.deliver()
    found = [
        exemplar
        for request in sink.accepted("/v1/metrics")
        for resource in request.message.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "h"
        for point in metric.histogram.data_points
        for exemplar in point.exemplars
    ]
    assert len(found) == 2
    assert {(exemplar.as_double, exemplar.trace_id + exemplar.span_id) for exemplar in found} == {(0.5, span)}


def test_samples_keep_their_distance_over_a_restart(sink, journal):
    journal.sample(START, 1, 1.0)
    journal.deliver()
    journal.sample(START + 5, 1, 2.0)
    journal.deliver()
    assert [(point.time - START) // MILLISECOND for point in sink.points("g")] == [0, 1]


def test_the_progress_of_a_job_that_has_ended_stops(sink, journal):
    journal.block.progress(SPAN, "c").set(1, 4, START)
    journal.deliver()
    assert sink.last("synapse.job.progress.current") == 1
    assert sink.points("synapse.job.heartbeat.time")
    journal.block.progress(SPAN, "c").set(4, 4, START + 1)
    journal.end_job()
    journal.deliver()
    assert sink.last("synapse.job.progress.current") == 4
    count = len(sink.points("synapse.job.progress.current"))
    journal.sample(START + 2, 2, 1.0)
    journal.deliver()
    journal.sample(START + 3, 2, 1.0)
    journal.writer.close()
    journal.deliver()
    assert sink.last("c") == 2
    assert len(sink.points("synapse.job.progress.current")) <= count + 1


def test_a_job_that_runs_tells_when_it_last_did_something_and_for_how_long_its_steps_have_run(sink, journal):
    now = time.time_ns()
    journal.sample(now + 2 * SECOND, 1, 1.0)
    journal.block.progress(SPAN, "c").set(1, 4, now + 3 * SECOND)
    of_step = {semconv.STEP_NAME: "load", semconv.STEP_ORDER: 1}
    step = [b"t" * 16, b"stepspan", SPAN, 1, "", "load", 1, now - 60 * SECOND, 0, of_step, 0]
    journal.define(Kind.SPAN_OPEN, step)
    handed = [b"handed!!", START, {semconv.JOB_ID: "k"}, "train", b"u" * 16 + b"handed!!\1", 0, False]
    journal.define(Kind.JOB, handed)
    journal.deliver()
    activity = sink.last("synapse.job.activity.time", synapse_job_id="j")
    assert activity == pytest.approx(now / 1e9 + 3, abs=1e-3)
    elapsed = sink.last("synapse.step.elapsed", synapse_job_id="j", synapse_step_name="load")
    assert 60 <= elapsed < 600
    # What another process runs, it works for: that counts for the job, and its heartbeat is not its to tell.
    assert sink.last("synapse.job.activity.time", synapse_job_id="k") == activity
    assert sink.last("synapse.job.heartbeat.time", synapse_job_id="k") is None
    assert sink.last("synapse.job.crashes") is None


def test_a_job_whose_process_died_is_counted_as_crashed_once_and_by_what(out_of_sight, sink, journal):
    journal.deliver()
    journal.writer.abandon()
    write_exit(journal.writer.folder, Exit(signal="SIGKILL"))
    journal.deliver()
    journal.deliver()
    assert sink.last("synapse.job.crashes", synapse_job_id="j", error_type="SIGKILL") == 1
    assert sink.last("synapse.job.active") == 0


def test_a_damaged_cursor_state_begins_the_sums_again_and_says_so(sink, journal):
    journal.sample(START, 2, 2.0)
    journal.deliver()
    path = journal.writer.folder / "cursor-metrics.json"
    damaged = path.read_text().replace('"total":2.0', '"total":null')
    path.write_text(damaged[: damaged.index(',"crc":')] + "}")  # of an older version, which has no check of the whole
    journal.sample(START, 2, 3.0)
    cursor = journal.deliver()
    assert cursor.delivered == 2
    assert any("starts again" in warning for warning in cursor.warnings)


# --- retention ----------------------------------------------------------------------------------------


def test_the_newest_delivered_runs_are_kept_and_older_ones_deleted(tmp_path, sink):
    root = tmp_path / "root"
    kept, alive = [], Journal(root, sink)
    for _ in range(6):
        journal = Journal(root, sink)
        journal.writer.close()
        journal.deliver()
        kept.append(journal.writer.folder)
    waiting = Journal(root, sink)
    waiting.writer.close()
    shipper = shipper_of([root], alive.destination, "key", limits=Limits(kept_runs=2))
    shipper._scan()
    shipper._retain()
    shipper.stop()
    there = {path for path in root.iterdir() if path.is_dir()}
    assert there == {*sorted(kept, key=lambda path: path.name)[-2:], alive.writer.folder, waiting.writer.folder}
    alive.writer.close()


def test_what_nobody_lived_to_finish_is_deleted_after_an_hour(tmp_path, sink):
    old, young = tmp_path / ".20200101T000000Z-run-old", tmp_path / ".20200101T000000Z-run-young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "alive.lock").touch()
    os.utime(old, (1, 1))
    delete_leftovers(tmp_path)
    assert not old.exists()
    assert young.exists()
