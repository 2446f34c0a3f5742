"""Records in brief are encoded to what the whole record is encoded to."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from synapse_otel.journal.frames import Brief, Template, Templates
from synapse_otel.otlp.encode.brief_logs import BriefEncoder
from synapse_otel.otlp.encode.logs import log_record
from synapse_otel.shipper.pipelines.logs import redacted

pytestmark = pytest.mark.once

PREFIX = "synapse.data."
JOURNAL = "ab" * 16
SECRETS = ["password=abc", "token: x", "Bearer abcdefghijklmnopqrst", "\ud800"]
TEXT = st.one_of(st.text(max_size=80), st.sampled_from(SECRETS))
VALUES = st.one_of(
    TEXT,
    st.integers(-(1 << 63), 1 << 64),
    st.floats(allow_nan=False),
    st.booleans(),
    st.none(),
    st.lists(TEXT, max_size=3),
    st.dictionaries(TEXT, st.integers(0, 5), max_size=2),
)
TEMPLATES = st.builds(
    Template,
    id=st.just(1),
    scope=st.just(3),
    severity=st.integers(-1, 30),
    severity_text=st.none() | TEXT,
    event_name=st.none() | TEXT,
    attributes=st.dictionaries(TEXT, VALUES, max_size=3),
    span=st.binary(max_size=1) | st.binary(min_size=25, max_size=25),
    prefix=st.just(PREFIX),
)
BRIEFS = st.builds(
    Brief,
    time=st.integers(-5, 1 << 64),
    template=st.just(1),
    body=st.none() | TEXT,
    data=st.none() | st.dictionaries(TEXT, VALUES, max_size=4),
)


def sorted_record(encoded: bytes) -> LogRecord:
    record = LogRecord.FromString(encoded)
    attributes = sorted(record.attributes, key=lambda found: found.SerializeToString(deterministic=True))
    del record.attributes[:]
    record.attributes.extend(attributes)
    return record


@settings(deadline=None)
@given(TEMPLATES, st.lists(BRIEFS, min_size=1, max_size=4))
def test_a_record_in_brief_is_the_whole_record(template, briefs):
    known = any(key.startswith(PREFIX) for key in template.attributes)
    templates, encoder = Templates(), BriefEncoder()
    encoder.journal = JOURNAL
    encoder.take(template)
    templates.take(template)
    for sequence, brief in enumerate(briefs):
        try:
            encoded = encoder.encode(brief, sequence)
        except KeyError:
            assert known, "only a template whose attributes a record may replace goes the long way"
            continue
        whole = templates.whole(brief)
        assert whole is not None
        assert sorted_record(encoded) == sorted_record(log_record(redacted(whole), f"{JOURNAL}-{sequence:x}"))


def test_a_uid_ends_with_the_whole_number_of_its_record_and_begins_with_the_latest_journal():
    encoder = BriefEncoder()
    encoder.take(Template(1, 0, 9, None, None, {}, b"", PREFIX))
    for journal in (JOURNAL, "cd" * 16):
        encoder.journal = journal
        for sequence in (
            (1 << 40) + 2,
            0,
            1,
            15,
            16,
            255,
            256,
            257,
            0x1FF,
            0x200,
            0x1000F,
            0x10100,
            255,
            1 << 40,
            (1 << 40) + 1,
        ):
            [sent] = LogRecord.FromString(encoder.encode(Brief(1, 1, None, None), sequence)).attributes
            assert sent.value.string_value == f"{journal}-{sequence:x}"
