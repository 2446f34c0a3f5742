"""What is written is read back; what is damaged is left out and counted, and never anything else."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synapse_otel.journal import frames
from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.folder import segment_path
from synapse_otel.journal.frames import HEADER_SIZE, STRUCTURES, Kind
from synapse_otel.journal.reader import JournalReader, Position, read_all
from synapse_otel.semconv.signal import Signal

pytestmark = pytest.mark.once

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
mapping = st.dictionaries(st.text(max_size=8), anything, max_size=4)
times = st.integers(0, 1 << 63)
text = st.text(max_size=20)
number = st.integers(0, 1 << 31)
floats = st.floats(allow_nan=False)

structures = {
    Kind.SEGMENT: st.builds(frames.Segment, number, text, times, st.lists(number), mapping, text, st.booleans()),
    Kind.SCOPE: st.builds(frames.Scope, number, text, text, text, mapping),
    Kind.SERIES: st.builds(frames.Series, number, number, text, text, text, text, mapping, st.lists(floats)),
    Kind.SPAN_OPEN: st.builds(
        frames.Span, st.binary(), st.binary(), st.binary(), number, text, text, number, times, times, mapping, number
    ),
    Kind.END: st.builds(frames.End, times, st.lists(number), st.booleans()),
    Kind.FLUSH: st.builds(frames.Flush, times),
    Kind.JOB: st.builds(frames.Job, st.binary(), times, mapping, text, st.binary(), number, st.booleans(), times),
    Kind.LOG: st.builds(
        frames.Log, times, number, st.none() | text, st.none() | text, anything, mapping, st.binary(), number, times
    ),
    Kind.TEMPLATE: st.builds(
        frames.Template, number, number, number, st.none() | text, st.none() | text, mapping, st.binary(), text
    ),
    Kind.BRIEF: st.builds(frames.Brief, times, number, st.none() | text, st.none() | mapping),
    Kind.SAMPLES: st.builds(frames.Samples, times, st.lists(floats)),
    Kind.SPAN: st.builds(
        frames.Span,
        st.binary(),
        st.binary(),
        st.binary(),
        number,
        text,
        text,
        number,
        times,
        times,
        mapping,
        number,
        number,
        text,
        st.lists(st.builds(frames.SpanEvent, times, text, mapping, number), max_size=2),
        st.lists(st.builds(frames.Link, st.binary(), st.binary(), text, mapping, number), max_size=2),
        number,
        number,
        number,
    ),
}
quickly = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder: Path, data: bytes, number: int = 1) -> Path:
    folder.mkdir(exist_ok=True)
    segment_path(folder, number).write_bytes(data)
    return folder


def payloads(folder: Path) -> tuple[list[bytes], JournalReader]:
    reader = JournalReader(folder)
    found = []
    for _ in range(100_000):
        read = reader.read(ended=True)
        if not read:
            reader.close()
            return found, reader
        found += [frame.payload for frame in read]
    raise AssertionError("the reader never ends")


def test_there_is_a_strategy_for_every_structure():
    assert structures.keys() == STRUCTURES.keys()


@pytest.mark.parametrize("kind", sorted(STRUCTURES))
def test_every_kind_of_frame_comes_back_as_it_was(tmp_path, kind):
    @quickly
    @given(structures[kind], st.integers(0, 255), st.integers(0, (1 << 40) - 1))
    def check(structure, count, sequence):
        write(tmp_path / "run", frames.frame(kind, frames.encode(structure), count, sequence))
        [(frame, _)] = read_all(tmp_path / "run")
        assert frame.decode() == structure
        assert (frame.kind, frame.count, frame.sequence) == (kind, count, sequence)

    check()


@quickly
@given(st.recursive(anything | st.binary() | st.just(object()) | st.integers(), lambda inner: st.tuples(inner, inner)))
def test_whatever_is_in_a_payload_is_encoded_clean(value):
    frames.DECODERS[Kind.LOG].decode(frames.encode_clean([1, 9, None, None, value, {}, b"", 0]))


def test_lone_surrogates_and_long_integers_are_made_valid():
    found = frames.clean({"\ud800": 1 << 70, "nan": math.nan, "deep": [[[[[[[[[[[1]]]]]]]]]]]})
    assert found["\\ud800"] == str(1 << 70)
    assert math.isnan(found["nan"])
    assert isinstance(found["deep"], list)


RECORDS = [bytes([65 + number]) * (number * 7 + 1) for number in range(12)]
WHOLE = [frames.frame(Kind.LOG, record, 1, number) for number, record in enumerate(RECORDS)]
DATA = b"".join(WHOLE)
ENDS = [sum(map(len, WHOLE[: number + 1])) for number in range(len(WHOLE))]


def test_a_journal_cut_off_at_any_byte_gives_all_whole_frames(tmp_path):
    for size in range(len(DATA) + 1):
        found, reader = payloads(write(tmp_path / "run", DATA[:size]))
        whole = [record for record, end in zip(RECORDS, ENDS, strict=True) if end <= size]
        assert found == whole
        rest = size - (ENDS[len(whole) - 1] if whole else 0)
        assert reader.damage.bytes == len(DATA[size - rest : size].rstrip(b"\0")), size


def test_any_byte_that_is_wrong_costs_its_own_frame_only(tmp_path):
    for place in range(len(DATA)):
        damaged = bytearray(DATA)
        damaged[place] ^= 1 << (place % 8)
        found, reader = payloads(write(tmp_path / "run", bytes(damaged)))
        hit = next(number for number, end in enumerate(ENDS) if place < end)
        assert found == [record for number, record in enumerate(RECORDS) if number != hit]
        assert (reader.damage.places, reader.damage.bytes) == (1, len(WHOLE[hit]))


@quickly
@given(st.integers(0, len(DATA)), st.integers(1, 200))
def test_a_zeroed_part_costs_what_it_covers(tmp_path, begin, size):
    damaged = DATA[:begin] + bytes(len(DATA[begin : begin + size])) + DATA[begin + size :]
    found, _ = payloads(write(tmp_path / "run", damaged))
    starts = [0, *ENDS[:-1]]
    untouched = [
        record
        for record, start, end in zip(RECORDS, starts, ENDS, strict=True)
        if DATA[start:end] == damaged[start:end]
    ]
    assert found == untouched


def test_zeroed_pages_larger_than_what_is_read_at_once_do_not_hide_what_comes_after(tmp_path):
    data = WHOLE[0] + bytes(1 << 20) + WHOLE[1]
    found, reader = payloads(write(tmp_path / "run", data))
    assert found == RECORDS[:2]
    assert reader.damage.places == 1


@quickly
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_garbage_before_and_after_is_left_out(tmp_path, before, after):
    found, _ = payloads(write(tmp_path / "run", before + DATA + after))
    assert [record for record in found if record in RECORDS][-len(RECORDS) :] == RECORDS


@quickly
@given(st.binary(max_size=2_000))
def test_garbage_alone_is_no_error_and_no_loop(tmp_path, garbage):
    payloads(write(tmp_path / "run", garbage))
    for _frame, _structure in read_all(tmp_path / "run"):
        pass


def test_marks_in_great_number_cost_no_more_than_reading(tmp_path):
    found, reader = payloads(write(tmp_path / "run", frames.MARK_BYTES * (1 << 20) + WHOLE[0]))
    assert found == RECORDS[:1]
    assert reader.damage.bytes == 1 << 21


def test_much_damage_in_a_large_segment_is_read_in_reasonable_time(tmp_path):
    bad = bytearray(WHOLE[11])
    bad[-1] ^= 1
    data = (bytes(bad) + WHOLE[1]) * 20_000
    found, reader = payloads(write(tmp_path / "run", data))
    assert len(found) == 20_000
    assert reader.damage.places == 20_000


def test_kinds_of_a_newer_version_are_given_and_decode_to_nothing(tmp_path):
    write(tmp_path / "run", frames.frame(99, b"new", 3, 0) + WHOLE[0])
    [(first, structure), _] = read_all(tmp_path / "run")
    assert (first.kind, first.count, structure) == (99, 3, None)


def test_structures_of_a_newer_version_with_more_fields_are_read(tmp_path):
    newer = [*range(1, 2), [0, 1, 2], True, "a new field", {"and": "another"}]
    write(tmp_path / "run", frames.frame(Kind.END, frames.encode(newer)))
    [(_, end)] = read_all(tmp_path / "run")
    assert end == frames.End(1, [0, 1, 2], continued=True)


def test_a_payload_that_nests_without_end_decodes_to_nothing(tmp_path):
    write(tmp_path / "run", frames.frame(Kind.LOG, b"\x98\x01\x09\xc0\xc0" + b"\x91" * 100_000 + b"\xc0", 1, 0))
    [(_, structure)] = read_all(tmp_path / "run")
    assert structure is None


def test_a_damaged_header_that_claims_a_huge_length_hides_nothing(tmp_path):
    bad = bytearray(WHOLE[0])
    bad[4:8] = (1 << 24).to_bytes(4, "little")
    found, _ = payloads(write(tmp_path / "run", bytes(bad) + b"".join(WHOLE[1:])))
    assert found == RECORDS[1:]


def test_segments_that_are_gone_are_passed_over(tmp_path):
    folder = write(tmp_path / "run", WHOLE[0], 1)
    write(folder, WHOLE[1], 4)
    write(folder, WHOLE[2], 9)
    found, _ = payloads(folder)
    assert found == RECORDS[:3]
    reader = JournalReader(folder, Position(2, 50))
    assert [frame.payload for frame in reader.read(ended=True)] == [RECORDS[1]]
    reader.close()


def test_an_empty_or_missing_folder_holds_nothing(tmp_path):
    assert payloads(tmp_path)[0] == []
    assert payloads(tmp_path / "missing")[0] == []


def test_a_real_journal_damaged_page_by_page(tmp_path):
    writer, _ = create_journal(tmp_path, "run", {"a": 1}, destination="d", budget=1 << 26)
    for index in range(500):
        writer.append(Kind.LOG, Signal.LOGS, frames.encode([index, 9, None, None, "x" * 100, {}, b"", 0]))
    writer.close()
    path = segment_path(writer.folder, 1)
    whole = path.read_bytes()
    for page in range(0, len(whole), 4096):
        path.write_bytes(whole[:page] + bytes(min(4096, len(whole) - page)) + whole[page + 4096 :])
        logs = [log.time for frame, log in read_all(writer.folder) if frame.kind == Kind.LOG]
        assert logs == sorted(set(logs))
        assert len(logs) >= 500 - 4096 // (100 + HEADER_SIZE) - 2
