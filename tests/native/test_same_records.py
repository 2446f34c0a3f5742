"""What the shipper reads and encodes is the same, compiled or in Python."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from synapse_otel._compiled import MODE
from synapse_otel.journal import frames, reader
from synapse_otel.journal.frames import Brief, Template
from synapse_otel.otlp.encode.brief_logs import BriefEncoder
from synapse_otel.otlp.encode.request import record_bodies, record_field
from synapse_otel.redaction import redact_text
from tools.docs.secret_lines import harmless, lines

native = pytest.importorskip("synapse_otel._native", reason="no compiled module here")

JOURNAL = "ab" * 16
TIME = 1_700_000_000_000_000_000
WORDS = (
    "AKIA ASIA eyJ abc ghp_ gho_ github_pat_ hf_ xoxb- sk- -----BEGIN-PRIVATE-KEY----- Bearer bearer Basic "
    "://user: @host = : - _ token TOKEN secret Secret pass password key Key api_key max_tokens 0123456789ABCDEFGHIJ "
    "AIza SG. dapi dckr_pat_ dop_v1_ glpat- hooks.slack.com/services/ hvs. npm_ pypi- rk_live_ sk_test_ xapp- ya29. "
    "Authorization authorization Cookie cookie login -u -- --token ;pwd ?sig &Signature ? & "
    "abcdefghijklmnopqrstuvwxyz \u00e9 \u212aey \U0001f600"
)
PIECES = st.sampled_from(WORDS.split()) | st.sampled_from([" ", "'", '"', "\n", ".", "x", "E"])
TEXTS = st.lists(PIECES, max_size=8).map("".join) | st.text(st.characters(exclude_categories=("Cs",)), max_size=200)
VALUES = (
    TEXTS | st.integers(-(1 << 63), (1 << 64) - 1) | st.integers(-200, 70_000) | st.floats() | st.booleans() | st.none()
)
KEYS = st.text(st.characters(max_codepoint=127), max_size=40) | st.text(
    st.characters(exclude_categories=("Cs",)), max_size=9
)


def template(prefix: str = "synapse.data.") -> Template:
    return Template(7, 3, 9, "INFO", "saved", {"synapse.job.id": "job-1"}, bytes(25), prefix)


def encoder(of: Template) -> BriefEncoder:
    made = BriefEncoder()
    made.journal = JOURNAL
    made.take(of)
    return made


def brief_frame(payload: bytes, sequence: int) -> bytes:
    return frames.frame(frames.Kind.BRIEF, payload, 1, sequence)


def compiled_run(by: BriefEncoder, data: bytes, place: int, sequence: int, replayed: int = 0):
    return native.brief_run(data, place, len(data), sequence, replayed, by._journal_bytes, by._compiled, by._texts)


def python_run(by: BriefEncoder, data: bytes, place: int, sequence: int, replayed: int = 0, *, most: int = 1 << 20):
    return by._run(data, place, len(data), sequence, replayed, most=most)


def compiled(by: BriefEncoder, payload: bytes, sequence: int) -> bytes | None:
    """Return the body of a record that is the only one."""
    data = brief_frame(payload, sequence)
    made = compiled_run(by, data, 0, sequence)
    if made is None:
        return None
    scope, fields, count, after = made
    assert (scope, count, after) == (3, 1, len(data))
    [body] = record_bodies(fields)
    assert record_field(body) == fields
    return body


@given(st.integers(0, (1 << 64) - 1), st.none() | TEXTS, st.none() | st.dictionaries(KEYS, VALUES, max_size=40), KEYS)
@example(TIME, "", {}, "synapse.data.")
@example(TIME, "loss=0.5", {"path": "a-b_c:d"}, "synapse.data.")
@example(TIME, None, {f"key {number}": -number for number in range(33)}, "")
def test_a_record(time, body, data, prefix):
    by = encoder(template(prefix))
    payload = frames.encode((time, 7, body, data))
    for sequence in (0, 255, 256, (1 << 63) - 1):
        for _again in range(2):  # the second time, what is sent of each text is known
            made = compiled(by, payload, sequence)
            if made is not None or by._known:
                expected = by.encode(Brief(time, 7, body, data), sequence)
                assert made in {None, expected}


def test_what_is_plain_is_not_refused():
    by = encoder(template())
    data = {"epoch": 3, "loss": 0.5, "name": "best", "done": True, "none": None, "fall": -40_000, "least": -(1 << 63)}
    for body in ("epoch 3 of 7: loss = 0.5, see /tmp/a-b_c.json (http:80)", "", None, "x" * 3_000):
        made = compiled(by, frames.encode((TIME, 7, body, data)), 1)
        assert made == by.encode(Brief(TIME, 7, body, data), 1)
    for suspect in ("token=abc", "é"):
        payload = frames.encode((TIME, 7, suspect, None))
        assert compiled(by, payload, 1) is None
        expected = by.encode(Brief(TIME, 7, suspect, None), 1)
        assert compiled(by, payload, 1) == expected, "what is sent of it is known now"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x94",
        frames.encode((TIME, 7, None)),
        frames.encode((TIME, 7, None, None, 5)),
        frames.encode((TIME, 7, None, None)) + b"\xc0",
        frames.encode((TIME, 8, None, None)),
        frames.encode((-1, 7, None, None)),
        frames.encode((TIME, 7, None, {"list": [1]})),
        frames.encode((TIME, 7, None, {"large": 1 << 63})),
        frames.encode((TIME, 7, None, {"é": 1})),
        frames.encode((TIME, 7, "x" * 4_000, None)),
        b"\x94\x00\x07\xc0\x82\xa1a\x01\xa1a\x02",
        b"\x94\x00\x07\xa1\xff\xc0",
        b"\x94\x00\x07\xc0\xdf\xff\xff\xff\xff",
        b"\x94\x00\x07\xdb\xff\xff\xff\xff",
    ],
)
def test_what_is_not_plain_is_refused(payload):
    assert compiled(encoder(template()), payload, 1) is None


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_understood(payload):
    by = encoder(template())
    made = compiled(by, b"\x94" + payload, 1)
    if made is not None:
        assert record_field(made) == python_run(by, brief_frame(b"\x94" + payload, 1), 0, 1)[1]


NAMES = ["password", "passwd", "passphrase", "secret", "api_key", "access.key", "account-key", "private_key", "token"]
SECRETS = [
    "AKIA0123456789ABCDEF",
    "ASIA0123456789ABCDEF",
    "eyJ0123456789.01234567.x",
    *(f"gh{kind}_0123456789abcdefghij" for kind in "pousr"),
    "github_pat_0123456789abcdefghij",
    "hf_abcdefghijklmnopqrst",
    *(f"xox{kind}-0123456789" for kind in "abprs"),
    "sk-0123456789abcdefghij",
    "-----BEGIN PRIVATE KEY-----x",
    "Bearer 0123456789abcdef",
    "bearer 0123456789abcdef",
    "Basic 0123456789abcdef",
    "basic 0123456789abcdef",
    "https://ann:hunter2@host",
    *(f"{name}{sign}hunter2" for name in NAMES for sign in (": ", "=", '": "')),
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("around", ["{}", "x {} y", "é {}", '"{}"'])
@pytest.mark.parametrize("case", [str, str.upper, str.title])
def test_what_python_would_hide_is_suspect(secret, around, case):
    text = around.format(case(secret))
    made = compiled(encoder(template()), frames.encode((TIME, 7, text, None)), 1)
    assert made is None or redact_text(text) == text
    if case is str:
        assert redact_text(text) != text, "it is no example"


def test_no_line_with_a_secret_gets_through():
    by = encoder(template())
    passed = 0
    for text in [*(line.text for line in lines()), *harmless()]:
        made = compiled(by, frames.encode((TIME, 7, text, None)), 1)
        assert made is None or redact_text(text) == text
        passed += made is not None
    assert passed > 180, "what is harmless is mostly not refused"


@given(st.lists(PIECES, max_size=6).map("".join))
def test_whatever_python_would_hide_is_suspect(text):
    made = compiled(encoder(template()), frames.encode((TIME, 7, text, None)), 1)
    assert made is None or redact_text(text) == text


RUNS = st.lists(
    st.tuples(
        st.sampled_from([16, 17, 17, 17, 17, 32]),
        st.sampled_from([0, 1, 1, 1, 1, 2]),
        st.sampled_from([0, 0, 0, 0, 1]),
        st.sampled_from([7, 7, 7, 8, 9]),
        st.none() | TEXTS,
    ),
    max_size=9,
)


@given(RUNS, st.integers(0, 300), st.integers(0, 10), st.integers(0, 8))
def test_a_run_ends_where_it_ends_in_python(found, sequence, replayed, first):
    by, other = encoder(template()), encoder(template())
    for each in (by, other):
        each.take(Template(8, 3, 13, "WARN", None, {}, b"", ""))
        each.take(Template(9, 4, 9, "INFO", None, {}, b"", ""))
    chunk = []
    for kind, count, gap, number, body in found:
        chunk.append(frames.frame(kind, frames.encode((TIME, number, body, None)), count, sequence + len(chunk) + gap))
    data = b"".join(chunk)
    place, until = (len(b"".join(chunk[:many])) for many in (first, replayed))
    given = (data, place, len(data), sequence + first, until)
    made = compiled_run(by, data, place, sequence + first, until)
    whole = by._run(*given, most=len(chunk))
    if made is not None:
        assert made == by._run(*given, most=made[2])
    plain = all((body or "").isascii() and redact_text(body or "") == (body or "") for *_, body in found)
    if whole is None or not plain:
        assert made is None or made[2] <= whole[2]
    # What the module refuses is done in Python, and is the same in the end.
    if MODE != "off":  # by another one, which knows no text that Python found to be clean
        assert other.run(*given) == (made or by._run(*given, most=1))


def test_a_run_of_plain_records_is_one():
    by = encoder(template())
    chunk = [
        brief_frame(frames.encode((TIME + number, 7, "x" * number, {"n": number})), 5 + number) for number in range(400)
    ]
    data = b"".join(chunk)
    places = [len(b"".join(chunk[:many])) for many in range(401)]
    assert compiled_run(by, data, 0, 5, -1) == python_run(by, data, 0, 5, -1)
    assert compiled_run(by, data, 0, 5, -1)[2:] == (400, len(data))
    assert compiled_run(by, data, places[390], 395, -1)[2] == 10
    assert compiled_run(by, data, places[400], 405, -1) is None
    assert compiled_run(by, data, places[10], 15, places[10])[2] == 390
    assert compiled_run(by, data, places[10], 15, places[11]) is None, "it was delivered before"
    assert compiled_run(by, data, places[10], 16, -1) is None, "a record is missing"
    for cut in (places[7] - 1, places[6] + 3):
        cut_off = (data, 0, cut, 5, -1)
        assert native.brief_run(*cut_off, by._journal_bytes, by._compiled, by._texts) == by._run(*cut_off, most=400)
        assert by._run(*cut_off, most=400)[2:] == (6, places[6])
    for place, odd in ((2, -1), (2, 1 << 64), (3, 1 << 63), (3, -(1 << 64))):
        wanted = [data, 0, 5, -1]
        wanted[place] = odd
        assert compiled_run(by, *wanted) is None, "a number from damaged bytes"
        given = (data, 0, len(data), *wanted[2:])
        assert by.run(*given) == by._run(*given, most=400 if MODE == "off" else 1)
    bodies = list(record_bodies(compiled_run(by, data, 0, 5, -1)[1]))
    assert bodies == [by.encode(Brief(TIME + n, 7, "x" * n, {"n": n}), 5 + n) for n in range(400)]


def test_a_fault_of_the_module_holds_up_no_journal(tmp_path, monkeypatch, sink):
    """Its records go the long way, and the cursor says so."""
    from synapse_otel.journal.creation import create_journal
    from synapse_otel.semconv.signal import Signal
    from synapse_otel.shipper.pipelines.logs import LogsPipeline
    from tools.fuzz.check import Takes

    journal, _ = create_journal(tmp_path, "run", {}, destination="key", budget=1 << 26)
    journal.append(frames.Kind.TEMPLATE, Signal.LOGS, frames.encode(template()), 0)
    for number in range(5):
        journal.append(frames.Kind.BRIEF, Signal.LOGS, frames.encode((TIME, 7, f"number {number}", None)), 1)
    journal.close()

    def fail(*_):
        raise SystemError("PY_SSIZE_T_CLEAN macro must be defined for '#' formats")

    monkeypatch.setattr(BriefEncoder, "run", fail)
    pipeline = LogsPipeline(journal.folder)
    while pipeline.step(Takes(), ended=True):
        pass
    assert (pipeline.cursor.delivered, pipeline.cursor.dropped) == (5, {})
    assert any("SystemError: PY_SSIZE_T_CLEAN" in warning for warning in pipeline.cursor.warnings)
    pipeline.close()


def test_wrong_arguments_are_errors():
    by = encoder(template())
    given = [b"", 0, 0, 0, 0, b"", {}, {}]
    assert native.brief_run(*given) is None
    for place, wrong in enumerate(("text", -1, 1, "text", "text", "text", [], [])):
        with pytest.raises((TypeError, OverflowError)):
            native.brief_run(*given[:place], wrong, *given[place + 1 :])
    with pytest.raises(TypeError):
        native.brief_run()
    data = brief_frame(frames.encode((TIME, 7, None, None)), 0)
    place = (data, 0, len(data), 0, 0)
    for odd in (5, (), (1,), (1, b""), (1, "text", b""), ("text", b"", b"")):
        with pytest.raises((TypeError, IndexError, SystemError)):
            native.brief_run(*place, b"", {7: odd}, {})
    assert native.brief_run(*place, b"x" * 600, by._compiled, {}) is None
    assert native.brief_run(data, len(data) + 100, len(data), 0, 0, b"", by._compiled, {}) is None
    for wrong in ((b"",), ("text", 0, b""), (b"", "text", b""), (b"", 0, "text")):
        with pytest.raises(TypeError):
            native.read_frames(*wrong)


def test_each_cut_and_each_damaged_byte():
    data = b"".join(frames.frame(16 + number, bytes(9 * number), number, 1 << 40) for number in range(4))
    for place in range(len(data)):
        assert native.read_frames(data[:place], 5, b"\x11\x13") == reader._read_frames(data[:place], 5, b"\x11\x13")
        damaged = bytearray(data)
        damaged[place] ^= 1
        assert native.read_frames(bytes(damaged), 5, b"") == reader._read_frames(bytes(damaged), 5, b"")


FRAMES = st.lists(
    st.builds(
        frames.frame,
        st.integers(1, 5) | st.integers(1, 255),
        st.binary(max_size=200),
        st.integers(0, 255),
        st.integers(0, 1 << 60),
    ),
    max_size=8,
).map(b"".join)


@given(
    FRAMES,
    st.integers(0, 2_000),
    st.none() | st.tuples(st.integers(0, 2_000), st.integers(1, 255)),
    st.integers(0, 1 << 40),
    st.binary(max_size=2) | st.lists(st.integers(1, 5), max_size=3).map(bytes),
)
def test_frames_that_are_cut_or_damaged(data, cut, flipped, start, skip):
    if flipped is not None and flipped[0] < len(data):
        damaged = bytearray(data)
        damaged[flipped[0]] ^= flipped[1]
        data = bytes(damaged)
    for part in (data, data[:cut]):
        assert native.read_frames(part, start, skip) == reader._read_frames(part, start, skip)
