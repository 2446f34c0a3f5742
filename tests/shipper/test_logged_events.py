"""The events of a killed process's open spans are those that its log records tell of, though most are not decoded."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from synapse_otel import semconv
from synapse_otel.journal import frames
from synapse_otel.journal.folder import segment_path
from synapse_otel.journal.frames import Kind, Log
from synapse_otel.journal.reader import read_all
from synapse_otel.semconv.event_budget import FIRST, IMPORTANT, LAST, EventBudget
from synapse_otel.semconv.severity import Severity
from synapse_otel.shipper.pipelines.open_spans import LoggedEvents

SPANS = [bytes([number]) * 25 for number in range(3)]
WANTED = [span[16:24] for span in SPANS[:2]]
DEVELOPER = {semconv.AUDIENCE: semconv.AUDIENCE_DEVELOPER}
TEMPLATES = st.tuples(
    st.integers(0, 3),
    st.sampled_from([9, 13, 17]),
    st.sampled_from([None, "saved", "lost"]),
    st.sampled_from([{}, {"a": 1}, DEVELOPER]),
    st.sampled_from([*SPANS, b""]),
)
RECORDS = st.tuples(st.integers(0, 4), st.none() | st.text(max_size=3), st.integers(0, 60))
LOGS = st.tuples(TEMPLATES, st.text(max_size=3))


def naive(folder) -> dict[bytes, tuple[list[Log], int]]:
    """Return the same from each record, decoded whole."""
    found: dict[bytes, EventBudget[Log]] = {span: EventBudget() for span in WANTED}
    for _frame, log in read_all(folder):
        is_event = isinstance(log, Log) and log.event_name is not None and log.span[16:24] in found
        if is_event and log.attributes.get(semconv.AUDIENCE) != semconv.AUDIENCE_DEVELOPER:
            found[log.span[16:24]].add(log, log.severity >= Severity.WARN)
    return {span: (sorted(budget.kept(), key=lambda log: log.time), budget.dropped) for span, budget in found.items()}


def written(folder, parts) -> None:
    """Write a segment: templates, records of them, and whole log records."""
    data, time = b"", 0
    for part in parts:
        if len(part) == 5:
            number, severity, name, attributes, span = part
            data += frames.frame(Kind.TEMPLATE, frames.encode((number, 0, severity, "", name, attributes, span, "d.")))
        elif len(part) == 3:
            number, body, count = part
            for _ in range(count):
                time += 1
                data += frames.frame(Kind.BRIEF, frames.encode((time, number, body, {"n": time})), 1, time)
        else:
            (_, severity, name, attributes, span), body = part
            time += 1
            record = (time, severity, "", name, body, attributes, span, 0)
            data += frames.frame(Kind.LOG, frames.encode(record), 1, time)
    segment_path(folder, 1).write_bytes(data)


EACH = [(0, 9, "saved", {}, SPANS[0]), (1, 13, "lost", {}, SPANS[0])]


@given(st.lists(TEMPLATES | RECORDS | LOGS, max_size=12))
@example([*EACH, (0, None, 60), (1, "x", 60), (0, None, 60)])
@example([*EACH, (0, None, 5), (0, 9, "saved", DEVELOPER, SPANS[0]), (0, None, 5), EACH[1], (1, None, 5)])
def test_they_are_those_of_all_records_decoded(tmp_path_factory, parts):
    folder = tmp_path_factory.mktemp("journal")
    written(folder, parts)
    assert LoggedEvents(WANTED).read(folder) == naive(folder)


def test_the_first_the_last_and_the_important_ones_are_kept_and_the_others_counted(tmp_path):
    written(tmp_path, [*EACH, (0, "a", 60), (1, "b", 60), (0, "c", 60)])
    found = LoggedEvents(WANTED).read(tmp_path)
    events, dropped = found[WANTED[0]]
    assert [log.body for log in events] == ["a"] * FIRST + ["b"] * IMPORTANT + ["c"] * LAST
    assert dropped == 180 - len(events)
    assert found[WANTED[1]] == ([], 0)


def test_a_record_that_cannot_be_understood_is_passed_over(tmp_path):
    templates = frames.frame(Kind.TEMPLATE, frames.encode((0, 0, 9, "", "saved", {}, SPANS[0], "")))
    odd = [
        b"",
        b"\xc1",
        frames.encode("text"),
        frames.encode((1, 0)),
        frames.encode((1, 0, 5, 5)),
        frames.encode((1, 9)),
    ]
    good = frames.encode((2, 0, "fine", None))
    data = templates + b"".join(frames.frame(Kind.BRIEF, payload, 1, n) for n, payload in enumerate([*odd, good]))
    data += frames.frame(Kind.LOG, b"\xc1", 1, 9) + frames.frame(Kind.TEMPLATE, b"\xc1")
    segment_path(tmp_path, 1).write_bytes(data)
    events, _ = LoggedEvents(WANTED).read(tmp_path)[WANTED[0]]
    assert [log.body for log in events] == ["fine"]
