"""The compiled module writes what Python writes, byte by byte, and refuses what it cannot."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from synapse_otel.journal import frames
from synapse_otel.journal.frames import HEADER_SIZE, Kind
from synapse_otel.journal.memory.python_space import PythonSpace
from synapse_otel.journal.memory.slots import (
    SLOT_SIZE,
    PythonCounterSlot,
    PythonProgressSlot,
    read_count,
    read_progress,
)
from synapse_otel.semconv.signal import Signal

native = pytest.importorskip("synapse_otel._native", reason="no compiled module here")

TIME = 1_700_000_000_000_000_000
NUMBERS = st.integers(-(1 << 63), (1 << 64) - 1)
EDGES = st.sampled_from(
    [sign * (1 << bits) + around for bits in (5, 7, 8, 15, 16, 31, 32, 63) for sign in (1, -1) for around in (-1, 0, 1)]
).filter(lambda number: -(1 << 63) <= number < 1 << 64)
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)
SIMPLE = st.none() | st.booleans() | NUMBERS | EDGES | st.floats() | TEXTS
KEYS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)


def brief_in_python(time: int, template: int, body: str | None, data: dict[str, object] | None) -> bytes:
    return frames.encode((time, template, body, data))


@given(
    st.integers(0, (1 << 63) - 1) | EDGES,
    st.integers(0, 1 << 33),
    st.none() | TEXTS,
    st.none() | st.dictionaries(KEYS, SIMPLE, max_size=20),
)
@example(TIME, 1, None, {f"key {number}": number for number in range(20)})
@example(TIME, 1, "x" * 31, None)
@example(TIME, 1, "x" * 32, None)
@example(TIME, 1, "x" * 255, {})
@example(TIME, 1, "é" * 128, {})
@example(TIME, 1, "\U0001f600", {"": -0.0, "n": math.nan, "i": -math.inf})
def test_a_brief_record(time, template, body, data):
    expected = brief_in_python(time, template, body, data)
    compiled = native.encode_brief(time, template, body, data, set(data or ()))
    if data is not None and len(expected) > 1_024:
        assert compiled is None
    else:
        assert compiled == expected


@pytest.mark.parametrize(
    "given",
    [
        (TIME, 1, "\ud800", None),
        (TIME, 1, b"bytes", None),
        (TIME, 1, 5, None),
        (TIME, 1, "x" * 5_000, None),
        (TIME, 1, None, {"known": 1 << 64}),
        (TIME, 1, None, {"known": -(1 << 63) - 1}),
        (TIME, 1, None, {"known": [1]}),
        (TIME, 1, None, {"known": "\udfff"}),
        (TIME, 1, None, {"known": type("Text", (str,), {})("x")}),
        (TIME, 1, None, {"known": type("Number", (int,), {})(1)}),
        (TIME, 1, None, {"unknown": 1}),
        (TIME, 1, None, {1: 1}),
        (TIME, 1, None, type("Mapping", (dict,), {})(known=1)),
        (TIME, 1, None, {"known": "x" * 1_020}),
        (1.5, 1, None, None),
        (True, 1, None, None),
    ],
)
def test_what_is_not_plain_is_refused(given):
    assert native.encode_brief(*given, {"known"}) is None


@given(st.dictionaries(KEYS, st.floats() | NUMBERS | EDGES, max_size=260), st.randoms(use_true_random=False))
def test_samples(values, order):
    numbers = order.sample(range(1, 1 << 20), len(values))
    series = dict(zip(values, numbers, strict=True))
    compiled = native.encode_samples(TIME, series, values)
    finite = all(not isinstance(value, float) or math.isfinite(value) for value in values.values())
    if 0 < len(values) <= 255 and finite:
        pairs = [item for name, value in values.items() for item in (series[name], value)]
        room = 4_096
        expected = frames.encode((TIME, pairs))
        assert compiled == (expected if len(expected) <= room else None)
    else:
        assert compiled is None


@pytest.mark.parametrize(
    ("series", "values"),
    [
        ({}, {"loss": 1.0}),
        ({"loss": {"name": "loss"}}, {"loss": 1.0}),
        ({"loss": 1}, {"loss": True}),
        ({"loss": 1}, {"loss": None}),
        ({"loss": 1}, {"loss": 1 << 64}),
        ({"loss": 1, 5: 2}, {5: 1.0}),
        ({"loss": 1}, {"loss": type("Number", (float,), {})(1.0)}),
    ],
)
def test_samples_that_are_not_plain_are_refused(series, values):
    assert native.encode_samples(TIME, series, values) is None


def spaces(size: int):
    memory = bytearray(size), bytearray(size)
    made = native.Space(memory[0], size), PythonSpace(memory[1], size)
    for space in made:
        space.numbers = [0] * len(Signal)
    return memory, made


@given(
    st.lists(
        st.tuples(
            st.integers(1, 255),
            st.sampled_from([0, 1, 2]),
            st.integers(0, 300).map(lambda size: bytes(range(256)) * 2 + bytes(size)) | st.binary(max_size=300),
            st.integers(0, 255),
        ),
        max_size=20,
    ),
    st.integers(0, 4_000),
)
def test_frames_and_their_numbers(calls, size):
    memory, (compiled, python) = spaces(size)
    for kind, signal, payload, count in calls:
        assert compiled.append(kind, signal, payload, count) == python.append(kind, signal, payload, count)
        assert (compiled.at, compiled.room, compiled.numbers) == (python.at, python.room, python.numbers)
    assert memory[0] == memory[1]


def test_briefs_and_samples_are_placed_as_frames():
    memory, (compiled, python) = spaces(1_000)
    data, series = {"known": 1.5}, {"loss": 7, "lr": 8}
    assert compiled.append_brief(TIME, 3, "body", data, {"known"})
    assert compiled.append_samples(TIME, series, {"loss": 0.5, "lr": 1})
    python.append(Kind.BRIEF, Signal.LOGS, brief_in_python(TIME, 3, "body", data), 1)
    python.append(Kind.SAMPLES, Signal.METRICS, frames.encode((TIME, [7, 0.5, 8, 1])), 2)
    assert memory[0] == memory[1]
    assert compiled.numbers == python.numbers == [1, 2, 0]
    assert not compiled.append_brief(TIME, 3, "body", {"unknown": 1}, {"known"})
    assert compiled.at == python.at


def test_nothing_is_placed_without_room_or_numbers_or_memory():
    memory = bytearray(HEADER_SIZE + 4)
    space = native.Space(memory, len(memory))
    assert not space.append(Kind.LOG, 0, b"four", 1), "it has no numbers"
    space.numbers = [5, 0, 0]
    assert not space.append(Kind.LOG, 0, b"and 5", 1)
    assert space.append(Kind.LOG, 0, b"four", 1)
    assert (space.at, space.numbers) == (len(memory), [6, 0, 0])
    assert not space.append(Kind.LOG, 0, b"", 1)
    space.room = 1 << 40
    assert not space.append(Kind.LOG, 0, b"", 1), "more room than there is memory"
    space.release()
    assert space.room == -1
    memory.extend(b"it may change its size again")
    space.room, space.at = 100, 0
    assert not space.append(Kind.LOG, 0, b"", 1)
    with pytest.raises(ValueError, match="no room"):
        space.write(b"x")


def test_wrong_arguments_are_errors_and_change_nothing():
    memory = bytearray(1_000)
    space = native.Space(memory, len(memory))
    space.numbers = [1 << 64, "no number", 0]
    for wrong in ((1, 0, b""), (1, 0, "text", 1), (0, 0, b"", 1), (256, 0, b"", 1), (1, 0, b"", 256), (1, 3, b"", 1)):
        with pytest.raises((TypeError, ValueError, IndexError)):
            space.append(*wrong)
    for signal, error in ((0, OverflowError), (1, TypeError)):
        with pytest.raises(error):
            space.append(1, signal, b"", 1)
    for call in (space.append_brief, space.append_samples, native.encode_brief, native.encode_samples):
        with pytest.raises(TypeError, match="arguments"):
            call()
    assert (space.at, memory) == (0, bytearray(1_000))
    for wrong_memory in (b"read only", 5):
        with pytest.raises((TypeError, BufferError)):
            native.Space(wrong_memory, 1)
    with pytest.raises(ValueError, match="smaller"):
        native.Space(memory, 1_001)


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1e15) | st.integers(0, 1 << 40),
            st.floats(1, 1e15) | st.integers(1, 1 << 53),
            st.integers(0, TIME),
        ),
        max_size=30,
    )
)
def test_progress(calls):
    memory = bytearray(2 * SLOT_SIZE), bytearray(2 * SLOT_SIZE)
    slots = native.ProgressSlot(memory[0], SLOT_SIZE), PythonProgressSlot(memoryview(memory[1]), SLOT_SIZE)
    for current, limit, now in calls:
        for slot in slots:
            slot.set(current, limit, now)
        found, expected = (read_progress(memoryview(each), SLOT_SIZE) for each in memory)
        assert found is not None
        assert expected is not None
        assert found[0] == expected[0]
        assert found == expected


@given(st.lists(st.integers(0, 1 << 40), max_size=30))
def test_counters(numbers):
    memory = bytearray(SLOT_SIZE), bytearray(SLOT_SIZE)
    slots = native.CounterSlot(memory[0], 0), PythonCounterSlot(memoryview(memory[1]), 0)
    for number in numbers:
        for slot in slots:
            slot.add(number)
            slot.add()
    assert memory[0] == memory[1]
    assert slots[0].value() == slots[1].value() == read_count(memoryview(memory[0]), 0)


@pytest.mark.parametrize("kind", ["Space", "CounterSlot", "ProgressSlot"])
@pytest.mark.parametrize("order", ["memory first", "memory last"])
def test_a_cycle_of_a_memoryview_and_who_holds_it_is_collected(kind, order):
    """CPython clears the memoryview first, if it is told of it, and crashes: in a process of its own."""
    program = f"""
import gc
from synapse_otel import _native
class Holder: pass
def make():
    memory = memoryview(bytearray(1024))
    made = _native.{kind}(memory, 0)
    holder = Holder()
    holder.itself = holder
    for part in (memory, made)[::{1 if order == "memory first" else -1}]:
        setattr(holder, f"part {{len(vars(holder))}}", part)
for _ in range(3):
    make()
    gc.collect()
print(gc.collect())
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "0\n", "")


def test_a_slot_moves_to_other_memory_and_refuses_what_is_none():
    memory, other = bytearray(SLOT_SIZE), bytearray(SLOT_SIZE)
    slot = native.CounterSlot(memory, 0)
    slot.add(2)
    slot.buffer = other
    slot.add(3)
    assert (read_count(memoryview(memory), 0), read_count(memoryview(other), 0)) == (2, 5)
    memory.extend(b"it may change its size again")
    for wrong in (bytearray(SLOT_SIZE - 1), b"x" * SLOT_SIZE, None):
        with pytest.raises((TypeError, ValueError, BufferError)):
            slot.buffer = wrong
    with pytest.raises(OverflowError):
        slot.add(-6)
    with pytest.raises(TypeError):
        slot.add("1")
    slot.add(-2)
    assert read_count(memoryview(other), 0) == slot.value() == 3, "what is at work rises and falls"
    with pytest.raises(ValueError, match="outside"):
        native.CounterSlot(memory, 1 << 40)
    with pytest.raises(ValueError, match="outside"):
        native.ProgressSlot(memory, -1)
    progress = native.ProgressSlot(bytearray(SLOT_SIZE), 0)
    with pytest.raises(TypeError):
        progress.set("1", 2, 3)
    assert read_progress(memoryview(progress.buffer), 0) is None
