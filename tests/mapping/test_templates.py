"""Log records in brief: they say the same as records written whole, and every reader can read them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synapse_otel.journal.folder import run_folders, segment_numbers, segment_path
from synapse_otel.journal.frames import Brief, Kind, Log, Template
from synapse_otel.journal.reader import JournalReader, read_all
from synapse_otel.mapping.job import KIND_LIMIT
from synapse_otel.testing import recorded_job

pytestmark = pytest.mark.once

KEYS = st.sampled_from(["epoch", "path", "hf_token", "api_key", "a.b", "", "x" * 300, "\ud800", 7, None])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 70), 1 << 70),
    st.floats(),
    st.text(max_size=20),
    st.just("\ud800"),
    st.just("y" * 2_000),
    st.just("z" * 20_000),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def folder_of(job) -> Path:
    (folder,) = run_folders(job.folder)
    return folder


def frames_of(job) -> list:
    return list(read_all(folder_of(job)))


def whole_and_brief(record) -> tuple[list, list]:
    """Return what is read of the same calls with templates, and without."""
    found = []
    for brief in (True, False):
        with recorded_job("train", plugin="yolo", fixed=True) as job:
            if not brief:
                job.job.template = None
            record(job.ctx)
            found.append(
                [(log.time, log.severity, log.body, log.attributes, log.event_name) for log in job.log_records]
            )
    return found[0], found[1]


@settings(deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=40))
def test_data_arrives_the_same_in_brief_and_whole(data):
    brief, whole = whole_and_brief(lambda ctx: ctx.log("event", data))
    assert repr(brief) == repr(whole)  # a NaN is not itself


@settings(max_examples=30, deadline=None)
@given(st.one_of(st.text(max_size=30), st.just("\ud800 x"), st.just("w" * 40_000)), st.sampled_from(["info", "danger"]))
def test_messages_arrive_the_same_in_brief_and_whole(text, context):
    brief, whole = whole_and_brief(lambda ctx: ctx.log_message(text, context))
    assert brief == whole


def test_plain_records_are_written_in_brief_and_take_less_than_half(synapse_job):
    for number in range(10):
        synapse_job.ctx.log("checkpoint", {"epoch": number, "path": "weights.pt"})
    synapse_job.job.template = None
    synapse_job.ctx.log("checkpoint", {"epoch": 10, "path": "weights.pt"})
    sizes = {Kind.BRIEF: [], Kind.LOG: []}
    for frame, log in frames_of(synapse_job):
        if isinstance(log, Log) and log.event_name == "checkpoint":
            sizes[frame.kind].append(len(frame.payload))
    assert len(sizes[Kind.BRIEF]) == 10
    assert max(sizes[Kind.BRIEF]) * 2 < min(sizes[Kind.LOG])


def test_what_was_passed_may_be_changed_afterwards(synapse_job):
    data = {"epoch": 1}
    synapse_job.ctx.log("checkpoint", data)
    data["epoch"] = 2
    synapse_job.end()
    (span,) = synapse_job.spans
    shown = [event for event in span.events if event.name == "checkpoint"]
    assert [found.attributes["synapse.data.epoch"] for found in (*synapse_job.events, *shown)] == [1, 1]


def test_every_segment_says_again_what_its_records_need(synapse_job):
    ctx = synapse_job.ctx
    text = "x" * 900
    folder = folder_of(synapse_job)
    while segment_numbers(folder)[-1] < 3:
        ctx.log("row", {"text": text})
    segment_path(folder, 1).unlink()
    logs = [log for _frame, log in read_all(folder) if isinstance(log, Log) and log.event_name == "row"]
    assert len(logs) > 1_000
    assert {log.attributes["synapse.data.text"] for log in logs} == {text}


def test_a_flood_of_names_is_kept_and_the_first_ones_stay_cheap(synapse_job):
    names = [f"event-{number}" for number in range(KIND_LIMIT * 3)]
    for _ in range(2):
        for name in names:
            synapse_job.ctx.log(name, {"a": 1})
    found = [(frame.kind, log.event_name) for frame, log in frames_of(synapse_job) if isinstance(log, Log)]
    events = [name for _kind, name in found if name.startswith("event-")]
    assert events == names * 2
    assert {name for kind, name in found if kind == Kind.BRIEF} >= set(names[: KIND_LIMIT - 3])
    assert sum(isinstance(found, Template) for _frame, found in frames_of(synapse_job)) <= KIND_LIMIT


def test_templates_of_steps_that_have_ended_are_not_repeated_for_ever(synapse_job):
    folder = folder_of(synapse_job)
    for number in range(300):
        scope = synapse_job.job.root.begin_step(f"step-{number}", order=1, weight=1)
        with scope.activated():
            synapse_job.ctx.log("row", {"text": "x" * 500})
        scope.end()
    while segment_numbers(folder)[-1] < 2:
        synapse_job.ctx.log("row", {"text": "x" * 900})
    last = segment_numbers(folder)[-1]
    repeated = [
        found for frame, found in read_all(folder) if isinstance(found, Template) and frame.after.segment == last
    ]
    assert 1 <= len(repeated) < 10


def test_a_forked_child_says_again_what_its_records_need():
    with recorded_job("train", plugin="yolo") as job:
        job.ctx.log("row", {"of": "parent"})
        child = os.fork()
        if child == 0:
            job.ctx.log("row", {"of": "child"})
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        rows = [
            log.attributes["synapse.data.of"]
            for path in run_folders(job.folder)
            for _frame, log in read_all(path)
            if isinstance(log, Log) and log.event_name == "row"
        ]
    assert sorted(rows) == ["child", "parent"]


def test_a_record_whose_template_is_damaged_is_none(synapse_job):
    synapse_job.ctx.log("row", {"a": 1})
    folder = folder_of(synapse_job)
    path = segment_path(folder, segment_numbers(folder)[0])
    reader = JournalReader(folder)
    template = next(
        frame for frame in reader.read(ended=True) if frame.kind == Kind.TEMPLATE and frame.decode().event_name == "row"
    )
    reader.close()
    with path.open("r+b") as file:
        file.seek(template.after.offset - 1)
        file.write(b"\xff")
    found = [(frame, log) for frame, log in read_all(folder) if frame.kind == Kind.BRIEF]
    assert found[-1][1] is None
    assert isinstance(found[-1][0].decode(), Brief)
