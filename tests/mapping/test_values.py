"""Whatever a user passes becomes something readable of bounded size, never an exception."""

from __future__ import annotations

import datetime as dt
import math
from enum import Enum
from os import PathLike
from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from synapse_otel.journal.frames import DECODERS, Kind, encode, encode_clean
from synapse_otel.mapping.metric_values import as_number, sort_values
from synapse_otel.mapping.values import (
    ALL_ITEMS_LIMIT,
    ATTRIBUTE_LIMIT,
    DEPTH_LIMIT,
    ITEM_LIMIT,
    KEY_LIMIT,
    TEXT_LIMIT,
    cut,
    described,
    flatten,
    key_text,
    readable,
)

MARK = 64
"""Room for the words that say what was cut."""


class Hostile:
    """An object of which everything raises that can."""

    def __repr__(self):
        raise RuntimeError("repr")

    def __str__(self):
        raise RuntimeError("str")


class HostileNumber(float):
    """A number whose text raises."""

    def __repr__(self):
        raise RuntimeError("repr")


class HostileMapping(dict):
    """A mapping that cannot be read."""

    def items(self):
        raise RuntimeError("items")


class HostilePath(PathLike):
    """A path that is none."""

    def __fspath__(self):
        raise RuntimeError("fspath")


class HostileAttributes:
    """An object that raises whatever it is asked for."""

    def __getattr__(self, name):
        raise RuntimeError(name)


class Colour(Enum):
    RED = "red"


def cycle():
    found: list = [1]
    found.append({"again": found})
    return found


ODD = st.one_of(
    st.binary(max_size=40),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.timedeltas(),
    st.complex_numbers(),
    st.decimals(),
    st.fractions(),
    st.uuids(),
    st.sets(st.integers()),
    st.builds(Hostile),
    st.builds(HostileMapping, st.just({1: 2})),
    st.builds(HostilePath),
    st.builds(HostileAttributes),
    st.builds(HostileNumber, st.floats()),
    st.builds(cycle),
    st.just(Colour.RED),
    st.just(Hostile),
    st.just(PurePosixPath("/a")),
    st.builds(ValueError, st.text()),
    st.builds(bytearray, st.binary(max_size=9)),
    st.builds(memoryview, st.binary(max_size=9)),
    npst.arrays(npst.scalar_dtypes(), npst.array_shapes(max_dims=3, max_side=4)),
    npst.from_dtype(np.dtype("datetime64[s]")),
    st.floats(width=32).map(np.float32),
)
TEXT = st.text(st.characters(), max_size=20)
"""Any characters: lone surrogates too."""
SCALAR = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT)
VALUES = st.recursive(
    SCALAR | ODD,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.one_of(TEXT, st.integers(), st.tuples(st.integers()), st.dates()), inner, max_size=4)
    ),
    max_leaves=12,
)


def size(value):
    """Return the number of texts, numbers, items and keys."""
    if isinstance(value, dict):
        return sum(1 + size(item) for item in value.values())
    return sum(size(item) for item in value) if isinstance(value, list) else 1


def check_readable(value, depth=0):
    assert depth <= DEPTH_LIMIT
    if isinstance(value, dict):
        assert len(value) <= ITEM_LIMIT + 1
        for key, item in value.items():
            assert type(key) is str
            assert len(key) <= KEY_LIMIT + MARK
            check_readable(item, depth + 1)
    elif isinstance(value, list):
        assert len(value) <= ITEM_LIMIT + 1
        for item in value:
            check_readable(item, depth + 1)
    elif type(value) is str:
        assert len(value) <= TEXT_LIMIT + MARK
    elif type(value) is int:
        assert -(1 << 63) <= value < 1 << 63
    else:
        assert type(value) in {bool, float, type(None)}


@given(VALUES)
@example(cycle())
@example(10**5000)
@example(-(10**5000))
@example("\ud800")
@example(memoryview(bytes(8))[::2])
@example(memoryview(bytes(8)).cast("d"))
@example(np.ma.masked)
@example(dt.timedelta.max)
def test_any_value_is_readable(value):
    found = readable(value)
    check_readable(found)
    try:
        payload = encode((0, 0, "", "", found, {}, b"", 0))
    except (TypeError, ValueError, OverflowError):
        payload = encode_clean([0, 0, "", "", found, {}, b"", 0])  # what the recorder does with lone surrogates
    decoded = DECODERS[Kind.LOG].decode(payload).body
    assert size(decoded) == size(found)


@given(SCALAR.filter(lambda value: not isinstance(value, int) or -(1 << 63) <= value < 1 << 63))
def test_plain_values_stay_as_they_are(value):
    found = readable(value)
    assert found is value or found == value or (math.isnan(value) and math.isnan(found))


@given(st.dictionaries(st.one_of(TEXT, st.integers(), st.dates()), VALUES, max_size=5))
@example({"a": {"b": {}}, "c": {}})
@example({"self": cycle()})
@example(HostileMapping({1: 2}))
@example({"nested": HostileMapping({1: 2})})
def test_any_mapping_is_flat(data):
    found = flatten("p.", data)
    assert len(found) <= ATTRIBUTE_LIMIT + 1
    for key, value in found.items():
        assert key.startswith("p.")
        check_readable(value)


LEAVES = st.integers(-5, 5)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, min_size=1, max_size=3),
    max_leaves=20,
).filter(lambda tree: isinstance(tree, dict))


@given(TREES)
def test_nothing_is_lost_in_flattening(tree):
    def leaves(data, path=()):
        for key, value in data.items():
            if isinstance(value, dict):
                yield from leaves(value, (*path, key))
            else:
                yield ".".join((*path, key)), value

    expected = dict(leaves(tree))
    assert flatten("", tree) == expected
    numbers, nonfinite, others = sort_values(tree)
    assert (numbers, nonfinite, others) == (expected, {}, {})


def test_a_mapping_in_itself_ends():
    data: dict = {"a": 1}
    data["again"] = data
    found = flatten("", data)
    assert found["a"] == 1
    assert len(found) <= ATTRIBUTE_LIMIT
    numbers, _nonfinite, others = sort_values(data)
    assert numbers == {"a": 1.0}
    assert list(others) == ["again"]


def test_attributes_beyond_the_limit_are_counted():
    found = flatten("d.", {f"k{number}": number for number in range(ATTRIBUTE_LIMIT + 7)})
    assert len(found) == ATTRIBUTE_LIMIT + 1
    assert found["d...."] == "[cut: 7 more attributes]"


def test_huge_values_are_cut_and_say_so():
    assert readable("x" * 100_000).endswith("... [cut: 100000 characters]")
    assert readable(list(range(5_000)))[-1] == "[cut: 5000 items]"
    assert readable(dict.fromkeys(range(5000), 0))["..."] == "[cut: 5000 keys]"
    assert len(readable(b"\xff" * 10_000_000)) <= TEXT_LIMIT + MARK
    assert isinstance(readable(np.zeros(10_000)), str)
    assert key_text("k" * 1_000).startswith("k" * (KEY_LIMIT - 9) + "~")


def test_wide_and_deep_values_stay_small():
    wide: object = "x" * 100
    nested: dict = {"x": 1}
    for _ in range(DEPTH_LIMIT + 3):
        wide = [wide] * 30
        nested = {f"key {number}": nested for number in range(30)}
    assert size(readable(wide)) <= ALL_ITEMS_LIMIT + ITEM_LIMIT
    assert len(flatten("", {"wide": wide, "nested": nested})) <= ATTRIBUTE_LIMIT + 1


def test_a_record_stays_far_below_what_a_journal_or_server_takes():
    texts = {f"key {number}": ["x" * TEXT_LIMIT] * ITEM_LIMIT for number in range(ATTRIBUTE_LIMIT)}
    assert len(encode_clean(flatten("", texts))) < 1 << 20


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"\xffabc", "\\xffabc"),
        (dt.date(2024, 1, 2), "2024-01-02"),
        (dt.timedelta(seconds=90), 90.0),
        (Colour.RED, "red"),
        ({2, 1}, [1, 2]),
        (PurePosixPath("/a/b"), "/a/b"),
        (np.float32(0.5), 0.5),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (ValueError("bad"), "ValueError: bad"),
        (1 << 64, str(1 << 64)),
        (cycle(), [1, {"again": "<cycle>"}]),
        (Hostile(), "<Hostile, unprintable: RuntimeError>"),
        (np.array([Hostile()], dtype=object), ["<Hostile, unprintable: RuntimeError>"]),
        (HostileMapping({1: 2}), "<HostileMapping, unprintable: RuntimeError>"),
    ],
)
def test_how_it_reads(value, expected):
    assert readable(value) == expected


def test_text_is_cut_at_its_limit_only():
    assert cut("x" * TEXT_LIMIT) == "x" * TEXT_LIMIT
    assert described("x") == "'x'"


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (True, 1.0),
        (np.float16(0.5), 0.5),
        (np.array([[3]]), 3.0),
        (np.bool_(True), 1.0),
        pytest.param(10**400, math.inf, id="huge"),
        (np.arange(2), None),
        ("1", None),
        (None, None),
        (b"12", None),
        (Hostile(), None),
        (1j, None),
    ],
)
def test_what_is_a_number(value, number):
    assert as_number(value) == number


@given(VALUES)
def test_asking_whether_it_is_a_number_never_fails(value):
    found = as_number(value)
    assert found is None or type(found) is float
