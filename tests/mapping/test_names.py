"""Names that are longer than their slot stay different, are cut between letters, and are the same in every signal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_otel.journal.state_block import TEXT_LIMIT, slot_text
from synapse_otel.mapping.names import free_name, shown_name
from synapse_otel.mapping.values import KEY_LIMIT, NAME_LIMIT, flatten, key_text
from synapse_otel.testing import recorded_job

KOREAN = "데이터셋 변환 단계 " * 5
FIRST, SECOND = KOREAN + "첫째", KOREAN + "둘째"


@given(st.text())
def test_a_name_fits_its_slot_is_valid_and_stays_as_it_is(name):
    shown = slot_text(name)
    assert len(shown.encode()) <= TEXT_LIMIT
    assert slot_text(shown) == shown
    if len(name.encode("utf-8", "replace")) <= TEXT_LIMIT // 6:
        assert shown == name.encode("utf-8", "backslashreplace").decode()


@pytest.mark.parametrize("letter", ["x", "é", "한", "😀"])
def test_the_cut_is_between_letters(letter):
    for more in range(4):
        shown = slot_text("a" * more + letter * TEXT_LIMIT)
        assert "\ufffd" not in shown
        assert set(shown[more:-9]) == {letter}


@pytest.mark.parametrize(
    "make",
    [shown_name, lambda name: key_text(name * 3)],
    ids=["slot", "key"],
)
def test_names_that_differ_only_behind_the_cut_stay_different(make):
    assert make(FIRST) != make(SECOND)
    assert make(FIRST) == make(FIRST)


def test_the_limits_are_those_of_the_docs():
    assert (TEXT_LIMIT, KEY_LIMIT, NAME_LIMIT) == (112, 104, 120)


def test_a_long_name_is_the_same_in_every_signal():
    with recorded_job() as job:
        ctx = job.ctx
        ctx.set_progress(1, 10, FIRST)
        ctx.set_progress(9, 10, SECOND)
        ctx.set_metrics({"n": 1}, FIRST)
        job.job.root.message("categorised", category=FIRST)
        ctx.log("e" * 200 + "1", {"a": 1})
        ctx.log("e" * 200 + "2", {"a": 1}, file="f")
        scope = job.job.root.begin_step("s" * 200, order=1, weight=1)
        with scope.activated():
            ctx.set_progress(1, 2)
            ctx.log_message("in the step")
        scope.end()
        found = job.recording
        progress = {one.category: one.progress.current for one in found.progress}
    assert progress[shown_name(FIRST)] == 1
    assert progress[shown_name(SECOND)] == 9
    assert progress[shown_name("s" * 200)] == 1
    series = {one.attributes.get("synapse.category") for one in found.series if one.name == "synapse.job.metric"}
    assert series == {shown_name(FIRST)}
    names = [log.event_name for log in found.logs if log.event_name.startswith("ee")]
    assert names == [shown_name("e" * 200 + "1"), shown_name("e" * 200 + "2")]
    categorised = next(log for log in found.logs if log.body == "categorised")
    assert categorised.attributes["synapse.category"] == shown_name(FIRST)
    in_step = next(log for log in found.logs if log.body == "in the step")
    assert in_step.attributes["synapse.category"] == shown_name("s" * 200)
    (step,) = found.steps
    assert step.name == step.attributes["synapse.step.name"] == shown_name("s" * 200)
    said = [log.body for log in found.logs if "longer than 112 bytes" in str(log.body)]
    assert len(said) == 1
    assert FIRST in said[0]


def test_a_secret_in_a_name_is_nowhere():
    url = "https://ann:hunter2@host/x"
    with recorded_job() as job:
        job.ctx.set_progress(1, 2, url)
        job.ctx.set_metrics({"loss": 1.0, "password=hunter2": 2.0}, url)
        job.ctx.log("GET " + url)
        scope = job.job.root.begin_step("load " + url, order=1, weight=1)
        scope.end()
        shown = repr(
            (
                [one.category for one in job.recording.progress],
                [one.attributes for one in job.recording.series],
                [(one.event_name, one.body, one.attributes) for one in job.recording.logs],
                [(one.name, one.attributes, one.events) for _, one in job.recording.walk()],
            )
        )
    assert "https://ann:[redacted]@host/x" in shown
    assert "hunter2" not in shown


# --- names that come twice -------------------------------------------------------------------------------

TWICE = {"a": {"b": 1}, "a.b": 2, 5: 3, "5": 4}


def test_a_free_name():
    assert free_name("a", {"b"}) == "a"
    assert free_name("a", {"a"}) == "a~2"
    assert free_name("a", {"a", "a~2"}) == "a~3"


def test_data_whose_names_come_twice_is_whole():
    assert flatten("", TWICE) == {"a.b": 1, "a.b~2": 2, "5": 3, "5~2": 4}
    with recorded_job() as job:
        job.ctx.log("event", TWICE)
        job.ctx.log("nested", {"list": [{1: "a", "1": "b"}]})
        logs = {log.event_name: log.attributes for log in job.recording.logs}
    data = {key.removeprefix("synapse.data."): value for key, value in logs["event"].items() if ".data." in key}
    assert data == {"a.b": 1, "a.b~2": 2, "5": 3, "5~2": 4}
    assert logs["nested"]["synapse.data.list"] == '[{"1": "a", "1~2": "b"}]'


def test_metrics_whose_names_come_twice_are_series_of_their_own():
    with recorded_job() as job:
        job.ctx.set_metrics({"a": {"b": 1}, "a.b": 2, "c": {"d": float("nan")}, "c.d": 3.0}, "x")
        series = {
            one.attributes["synapse.metric.name"]: list(one.values)
            for one in job.recording.series
            if one.name == "synapse.job.metric"
        }
    assert series == {"a.b": [1], "a.b~2": [2], "c.d~2": [3.0]}


def test_parameters_whose_names_come_twice_are_whole():
    with recorded_job(params={"a": {"b": 1}, "a.b": 2}) as job:
        root = job.recording.job
    assert root.attributes["synapse.params.a.b"] == 1
    assert root.attributes["synapse.params.a.b~2"] == 2


def test_no_name_of_an_attribute_is_longer_than_a_log_store_takes():
    key = "데이터셋" * 40
    for data in ({key: {key: 1, f"{key}2": 2}}, {"a" * 300: {"b" * 300: 1, "b" * 301: 2}}):
        names = list(flatten("synapse.data.", data))
        assert len(names) == 2
        assert all(len(name.encode()) < 128 and name.startswith("synapse.data.") for name in names)
