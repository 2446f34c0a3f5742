"""The wire format itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_otel.otlp.encode.wire import Cache, delimited, number, signed, tag, text, unsigned64, varint

pytestmark = pytest.mark.once


def read_varint(encoded):
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(encoded))


@given(st.integers(0, 2**64 - 1))
def test_a_varint_has_seven_bits_a_byte_and_no_byte_too_many(value):
    encoded = varint(value)
    assert read_varint(encoded) == value
    assert all(byte & 0x80 for byte in encoded[:-1])
    assert len(encoded) == max((value.bit_length() + 6) // 7, 1)


@pytest.mark.parametrize("value", [-1, 2**64])
def test_a_varint_refuses_what_it_cannot_hold(value):
    with pytest.raises(ValueError, match=str(value)):
        varint(value)


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_negative_integer_is_its_twos_complement(value):
    assert read_varint(signed(value)) == value % 2**64


def test_the_examples_of_the_protobuf_documentation():
    assert tag(1, 0) + varint(150) == b"\x08\x96\x01"
    assert text(tag(2, 2), "testing") == b"\x12\x07testing"
    assert delimited(tag(3, 2), b"\x08\x96\x01") == b"\x1a\x03\x08\x96\x01"


def test_defaults_are_left_out():
    assert (text(tag(2, 2), ""), text(tag(2, 2), None), number(tag(1, 0), 0)) == (b"", b"", b"")


def test_times_are_clamped():
    assert [unsigned64(value) for value in (-1, 5, 2**70)] == [0, 5, 2**64 - 1]


def test_a_cache_encodes_once_and_stays_small():
    seen = []
    cache = Cache(lambda key: seen.append(key) or str(key).encode(), 3)
    assert [cache[key] for key in (1, 1, 2, 3)] == [b"1", b"1", b"2", b"3"]
    assert seen == [1, 2, 3]
    assert (cache[4], len(cache)) == (b"4", 1)
