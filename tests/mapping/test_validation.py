"""A mistake of the caller names the argument and its value, and leaves what was recorded as it is."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from synapse_otel.plugins.models.logger import LogLevel

NUMBERS = st.one_of(
    st.integers(-(10**6), 10**6),
    st.floats(-1e30, 1e30),
    st.sampled_from([math.nan, math.inf, -math.inf]),
    st.fractions(),
    st.decimals(allow_nan=False, min_value=-(10**30), max_value=10**30),
    st.integers(-100, 100).map(np.int64),
    st.floats(-1e6, 1e6, width=32).map(np.float32),
    st.booleans(),
)
NO_NUMBERS = st.one_of(st.text(), st.none(), st.lists(st.integers()), st.binary(), st.complex_numbers())
NO_TEXT = st.one_of(st.integers(), st.floats(), st.lists(st.text()), st.binary(), st.dictionaries(st.text(), st.text()))
BLANK = st.just("")
NO_MAPPINGS = st.one_of(st.text(), st.integers(), st.lists(st.tuples(st.text(), st.integers())), st.none(), st.binary())
WORDS = [level.value for level in LogLevel]
NAMES = st.text("abcdefg", min_size=1, max_size=4)

pytestmark = pytest.mark.usefixtures("recorded_so_far")
relaxed = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


@pytest.fixture(autouse=True, scope="module")
def keep(shared_job):
    """Something is recorded before, and must stay."""
    shared_job.ctx.set_progress(1, 2, "kept")
    shared_job.ctx.set_metrics({"a": 1.0}, "kept")
    shared_job.ctx.log_message("kept")
    return shared_job


def refuses(ask, call, error, *names):
    """The call raises and says these names; nothing is recorded, nothing is lost."""
    before = ask()
    with pytest.raises(error) as raised:
        call()
    for name in names:
        assert name in str(raised.value)
    assert ask() == before


def exact(number):
    """Return a number that compares with every other one: numpy's own wrap around, or do not compare."""
    return number.item() if isinstance(number, np.generic) else number


@relaxed
@given(current=NUMBERS, total=NUMBERS)
@example(current=Fraction(1, 1 << 63), total=np.int64(1))
@example(current=Fraction(1, 95_086_309_658_296_573), total=np.int64(98))
@example(current=0, total=0)
@example(current=math.nan, total=1)
@example(current=1, total=math.nan)
@example(current=Decimal(1), total=Fraction(3, 2))
@example(current=1, total=math.inf)
@example(current=np.int8(100), total=np.int8(127))
@example(current=np.float32(3), total=7)
@example(current=np.float32(131072.71875), total=131072.7109375)
def test_progress_is_recorded_exactly_if_it_is_possible(shared_job, recorded_so_far, current, total):
    kinds = {type(current), type(total)}
    assume(Decimal not in kinds or not any(issubclass(kind, np.generic) for kind in kinds))  # they do not compare
    category = f"{type(current).__name__} of {type(total).__name__}"

    def call():
        shared_job.ctx.set_progress(current, total, category)

    if total > 0 and 0 <= exact(current) <= exact(total):
        call()
        found = shared_job.progress[category]
        assert (found.current, found.limit) == (float(current), float(total))
        assert found.items >= 0
    elif total > 0:
        refuses(recorded_so_far, call, ValueError, "current", repr(current))
    else:
        refuses(recorded_so_far, call, ValueError, "total", repr(total))


@pytest.mark.parametrize(
    ("values", "error", "naming"),
    [
        ((Decimal("nan"), 10), ValueError, ["current", "NaN"]),
        ((1, Decimal("nan")), ValueError, ["total", "NaN"]),
        ((np.arange(2), 10), TypeError, ["current", "array"]),
        ((10**400, 10**401), ValueError, ["current", "10000"]),
        ((1, 10**400), ValueError, ["total", "10000"]),
    ],
    ids=["nan", "total nan", "array", "huge", "huge total"],
)
def test_numbers_that_are_none(shared_job, recorded_so_far, values, error, naming):
    refuses(recorded_so_far, lambda: shared_job.ctx.set_progress(*values), error, *naming)


def test_small_integers_of_numpy_do_not_wrap_around(shared_job):
    with np.errstate(over="ignore"):
        for current in (*range(101), 70, *range(100, 128)):
            shared_job.ctx.set_progress(np.int8(current), np.int8(127), "small")
    assert shared_job.progress["small"].items == 127


@relaxed
@given(value=NO_MAPPINGS)
def test_what_is_no_mapping_is_no_metrics(shared_job, recorded_so_far, value):
    refuses(recorded_so_far, lambda: shared_job.ctx.set_metrics(value, "c"), TypeError, "value", repr(value))


@relaxed
@given(value=NO_MAPPINGS.filter(lambda value: value is not None))
def test_what_is_no_mapping_is_no_data(shared_job, recorded_so_far, value):
    refuses(recorded_so_far, lambda: shared_job.ctx.log("event", value), TypeError, "data", repr(value))


CALLS = [
    pytest.param(lambda ctx, name, **by: ctx.set_progress(1, 2, **by), id="set_progress"),
    pytest.param(lambda ctx, name, **by: ctx.set_metrics({"a": 1}, **by), id="set_metrics"),
    pytest.param(lambda ctx, name, **by: ctx.log("event", {"a": 1}, **by), id="log"),
    pytest.param(lambda ctx, name, **by: ctx.log_message("m", **by), id="log_message"),
    pytest.param(lambda ctx, name, **by: ctx.log_dev_event("m", {"a": 1}, **by), id="log_dev_event"),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("spelling", ["category", "step"])
@relaxed
@given(blank=BLANK, odd=NO_TEXT)
def test_a_category_is_text_that_is_not_empty(shared_job, recorded_so_far, call, spelling, *, blank, odd):
    ctx = shared_job.ctx
    refuses(recorded_so_far, lambda: call(ctx, "", **{spelling: blank}), ValueError, "category", repr(blank))
    refuses(recorded_so_far, lambda: call(ctx, "", **{spelling: odd}), TypeError, "category")


@pytest.mark.parametrize("call", CALLS)
@relaxed
@given(one=NAMES, other=NAMES)
def test_two_spellings_that_differ(shared_job, recorded_so_far, call, one, other):
    assume(one != other)
    refuses(
        recorded_so_far, lambda: call(shared_job.ctx, "", category=one, step=other), TypeError, repr(one), repr(other)
    )


@relaxed
@given(word=st.text().filter(lambda word: word.lower() not in WORDS), odd=NO_TEXT)
def test_a_message_context_is_one_of_the_words(shared_job, recorded_so_far, word, odd):
    ctx = shared_job.ctx
    refuses(recorded_so_far, lambda: ctx.log_message("m", word), ValueError, "context", repr(word), *WORDS)
    refuses(recorded_so_far, lambda: ctx.log_message("m", odd), TypeError, "context")
    refuses(recorded_so_far, lambda: ctx.log("e", level=word), ValueError, "level", repr(word))


@relaxed
@given(name=BLANK, odd=NO_TEXT)
def test_an_event_has_a_name(shared_job, recorded_so_far, name, odd):
    refuses(recorded_so_far, lambda: shared_job.ctx.log(name), ValueError, "event", repr(name))
    refuses(recorded_so_far, lambda: shared_job.ctx.log(odd), TypeError, "event")


def test_what_was_recorded_before_is_still_there(shared_job):
    assert shared_job.progress["kept"].current == 1
    assert shared_job.samples("a", "kept") == [1.0]
    assert [message.body for message in shared_job.messages] == ["kept"]


@pytest.mark.parametrize(
    ("arguments", "error", "naming"),
    [
        ({"plugin": ""}, ValueError, "plugin"),
        ({"plugin": 5}, TypeError, "plugin must be text, not 5"),
        ({"action": ""}, ValueError, "action"),
        ({"job_id": ""}, ValueError, "job_id"),
        ({"version": 1.0}, TypeError, "version must be text, not 1.0"),
        ({"category": ""}, ValueError, "category"),
        ({"checkpoint": "/a"}, TypeError, "checkpoint must be a mapping, not '/a'"),
        ({"params": [1]}, TypeError, r"params must be a mapping, not \[1\]"),
    ],
)
def test_the_arguments_of_a_job(arguments, error, naming):
    from synapse_otel.mapping.start_job import JobSpec

    with pytest.raises(error, match=naming):
        JobSpec(**{"action": "train", "plugin": "yolo", **arguments})
