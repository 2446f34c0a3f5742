"""Jobs killed at random moments: nothing is lost that a call has returned from."""

from __future__ import annotations

import os
import random
import secrets
import signal
import subprocess
import time
from pathlib import Path

import pytest

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.semconv.event_budget import FIRST, LAST
from synapse_otel.semconv.signal import Signal
from tests.eventually import eventually
from tests.faults.running import Place, resident_mebibytes
from tests.shipping import shipper_of
from tests.sink import Sink, attributes, body

pytestmark = pytest.mark.once

SEEDS = range(20)


class Told:
    """What a killed job's calls had returned from."""

    def __init__(self, text: str) -> None:
        lines = [line.split(" ", 1) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        rest = [(kind, value.rstrip("\n")) for kind, value in lines]
        self.messages = [value for kind, value in rest if kind == "m"]
        self.events = [int(value) for kind, value in rest if kind == "e"]
        self.samples = [int(value) for kind, value in rest if kind == "s"]
        self.progress = max((int(value) for kind, value in rest if kind == "p"), default=0)


def kill_at_random(place: Place, seed: int, work_seconds: float = 0.001) -> tuple[Told, float]:
    """Start the training, kill it at a random moment after its first epoch; return what it told, and when."""
    process, output = start_training(place, work_seconds)
    eventually(lambda: "e 1\n" in output.read_text())
    time.sleep(random.Random(seed).uniform(0, 0.8))
    process.kill()
    killed = time.monotonic()
    process.communicate(timeout=10)
    return Told(output.read_text()), killed


def start_training(place: Place, work_seconds: float = 0.001) -> tuple[subprocess.Popen[str], Path]:
    """Start the training with a file for what it tells, so that it never waits for a reader."""
    output = place.root.with_name(f"told-{secrets.token_hex(4)}")
    return place.start("training", work_seconds, output=output), output


def finished(sink: Sink) -> bool:
    return any(attributes(span).get("synapse.job.result") for span in sink.spans()) and any(
        record.event_name == "synapse.job.finished" for record in sink.logs()
    )


def check_whole(sink: Sink, told: Told) -> None:
    logs = sink.logs()
    uids = {}
    for record in logs:
        uid = attributes(record)["log.record.uid"]
        content = record.SerializeToString()
        assert uids.setdefault(uid, content) == content, "one uid, two contents"
    bodies = {body(record) for record in logs}
    assert set(told.messages) <= bodies
    numbers = {attributes(record).get("synapse.data.number") for record in logs if record.event_name == "epoch"}
    assert set(told.events) <= numbers

    counts = {point.value for point in sink.points("synapse.job.metric") if is_metric(point, "count")}
    losses = [point for point in sink.points("synapse.job.metric") if is_metric(point, "loss")]
    merged = sink.last("synapse.job.metric.merged") or 0
    missing = set(told.samples) - counts
    assert len(missing) <= merged, f"{len(missing)} samples missing, {merged} merged"
    assert len(losses) >= len(told.samples) - merged
    # The newest is never merged away, and the call that was interrupted may have got through.
    assert sink.last("synapse.job.progress.current", synapse_category="train") in {told.progress, told.progress + 1}

    spans = {span.name: span for span in sink.spans()}
    assert len(spans) == len(sink.spans()) == 3, "each span once"
    job, train, load = spans["train demo"], spans["train"], spans["load"]
    assert load.status.code != 2
    for span in (job, train):
        assert span.status.code == 2
        assert attributes(span)["error.type"] == "killed"
        assert span.end_time_unix_nano >= span.start_time_unix_nano
    assert attributes(job)["synapse.job.result"] == "error"
    assert attributes(train)["synapse.step.result"] == "error"
    assert train.parent_span_id == load.parent_span_id == job.span_id

    [end] = [record for record in logs if record.event_name == "synapse.job.finished"]
    assert attributes(end)["error.type"] == "killed"
    assert end.trace_id == job.trace_id
    assert sink.last("synapse.job.active") == 0
    count, _ = sink.last("synapse.job.duration")
    assert count == 1


def is_metric(point, name):
    return point.attributes.get("synapse.metric.name") == name


def check_account(place: Place) -> None:
    [folder] = place.folders()
    cursors = [read_cursor(folder, signal) for signal in Signal]
    for cursor in cursors:
        assert cursor.delivered + sum(cursor.dropped.values()) == cursor.sequence
        assert set(cursor.dropped) <= {"merged into a newer sample"}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_job_is_delivered_whole_by_the_shipper_that_runs(sink, place, seed, record_property):
    told, killed = kill_at_random(place, seed)

    sink.wait(lambda: finished(sink), within=10)
    eventually(lambda: all(read_cursor(folder, one).complete for folder in place.folders() for one in Signal))
    seconds = time.monotonic() - killed

    check_whole(sink, told)
    check_account(place)
    rss = resident_mebibytes(place.shipper())
    record_property("delivered_after_seconds", round(seconds, 3))
    print(f"seed {seed}: {len(told.messages)} messages, delivered {seconds:.3f} s after SIGKILL, shipper {rss:.1f} MiB")
    assert rss <= 40


@pytest.mark.parametrize("seed", range(2))
def test_a_job_killed_at_full_speed_over_several_segments_is_delivered_whole(sink, place, seed):
    told, _ = kill_at_random(place, seed, work_seconds=0)

    sink.wait(lambda: finished(sink), within=30)
    eventually(lambda: all(read_cursor(folder, one).complete for folder in place.folders() for one in Signal))
    check_whole(sink, told)
    check_account(place)
    print(f"{len(told.messages)} messages, shipper {resident_mebibytes(place.shipper()):.1f} MiB")
    assert resident_mebibytes(place.shipper()) <= 40


def test_job_and_shipper_killed_the_next_job_starts_one_that_delivers_both(sink, place):
    process, output = start_training(place)
    eventually(lambda: "e 20\n" in output.read_text())
    place.kill_shipper()
    process.kill()
    process.communicate(timeout=10)

    ended = place.run("normal")

    assert ended.code == 0
    sink.wait(lambda: len([span for span in sink.spans() if span.name == "train demo"]) == 2)
    eventually(lambda: all(read_cursor(folder, one).complete for folder in place.folders() for one in Signal))
    results = sorted(attributes(span)["synapse.job.result"] for span in sink.spans() if span.name == "train demo")
    assert results == ["error", "success"]
    bodies = {body(record) for record in sink.logs()}
    assert {f"epoch {number}" for number in range(1, 20)} <= bodies
    assert {"message 0", "message 1", "message 2"} <= bodies


def test_one_pass_delivers_a_killed_job_without_any_shipper(sink, place):
    place.variables["SYNAPSE_OTEL_SHIPPER"] = "off"
    told, _ = kill_at_random(place, 1)
    configuration = place.configuration()
    [folder] = place.folders()

    shipper = shipper_of([], configuration.destination, configuration.key)
    assert shipper.deliver_once(folder)
    shipper.stop()

    check_whole(sink, told)
    check_account(place)
    assert not place.is_shipping()


@pytest.mark.parametrize("seed", range(2))
def test_a_shipper_killed_again_and_again_repeats_records_only_under_their_uid(sink, place, seed):
    chance = random.Random(seed)
    process, output = start_training(place)
    eventually(lambda: "e 1\n" in output.read_text())
    for _ in range(3):
        pid = eventually(place.shipper)
        time.sleep(chance.uniform(0, 0.3))
        os.kill(pid, signal.SIGKILL)
        eventually(
            lambda killed=pid: place.shipper() != killed
        )  # and perhaps another's: the guard's shell starts one, too
        place.start_shipper()
    process.kill()
    process.communicate(timeout=10)

    sink.wait(lambda: finished(sink), within=10)
    eventually(lambda: all(read_cursor(folder, one).complete for folder in place.folders() for one in Signal))
    told = Told(output.read_text())
    bodies = {body(record) for record in sink.logs()}
    assert set(told.messages) <= bodies
    uids = {}
    for record in sink.logs():
        uids.setdefault(attributes(record)["log.record.uid"], set()).add(record.SerializeToString())
    assert all(len(contents) == 1 for contents in uids.values())
    assert sink.last("synapse.job.active") == 0
    assert sink.last("synapse.job.progress.current", synapse_category="train") in {told.progress, told.progress + 1}
    check_account(place)


def test_an_error_keeps_its_place_among_the_events_of_a_killed_jobs_span(sink, place):
    place.run("killed_after_a_warning")
    eventually(lambda: finished(sink))
    (span,) = [span for span in sink.spans() if span.name == "train demo"]
    shown = [attributes(event).get("message") for event in span.events if event.name == "synapse.message"]
    first = FIRST - 1  # the job's begin is among them
    assert shown[:first] == [f"message {number}" for number in range(first)]
    assert shown[first] == "message 150"
    assert shown[first + 1 :] == [f"message {number}" for number in range(300 - LAST, 300)]
    assert attributes(span)["synapse.events.dropped"] == 301 - FIRST - 1 - LAST
