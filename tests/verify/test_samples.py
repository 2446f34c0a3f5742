"""Which recorded samples a backend holds: exact milliseconds, bursts that were merged, clocks that were set back."""

from __future__ import annotations

from array import array
from itertools import pairwise

import pytest

from synapse_otel import semconv
from synapse_otel.journal.frames import Series
from synapse_otel.shipper.pipelines.replay import RecordedSample
from synapse_otel.shipper.pipelines.sample_spacing import MILLISECOND, Spacing
from synapse_otel.verify.backends.pages import pages
from synapse_otel.verify.samples import Key, SeriesSamples

BEGIN = 1_700_000_000_000
SERIES = Series(1, 1, "gauge", semconv.JOB_METRIC.name, "", "", {semconv.JOB_ID: "j", semconv.METRIC_NAME: "loss"})


def recorded(times: list[int], request: int = 10**9) -> tuple[SeriesSamples, list[tuple[int, float]]]:
    """Return samples recorded at these milliseconds, with their number as the value, and what a server then holds.

    The server gets them in requests of so many samples; the replay knows nothing of requests.
    """
    samples = SeriesSamples(Key.of(SERIES, "i"))
    held: dict[int, float] = {}
    sent, replayed = Spacing(), Spacing()
    newest = None
    for number, time in enumerate(times):
        placed = sent.place("s", time * MILLISECOND, first=number % request == 0)
        newest = newest if placed is None else placed // MILLISECOND
        assert newest is not None
        held[newest] = float(number)
        again = replayed.place("s", time * MILLISECOND, first=number == 0)
        samples.add(RecordedSample(SERIES, time * MILLISECOND, again, float(number)))
    samples.settle()
    return samples, sorted(held.items())


def counts(samples: SeriesSamples) -> dict[str, int]:
    samples.finish()
    return {
        "found": samples.found,
        "missing": len(list(samples.missing())),
        "different": len(list(samples.different())),
        "unmatched": samples.unmatched,
        "shared": samples.shared,
        "strange": len(samples.strange),
        "double": samples.double,
    }


def found(number: int, **others: int) -> dict[str, int]:
    return {
        "found": number,
        "missing": 0,
        "different": 0,
        "unmatched": 0,
        "shared": 0,
        "strange": 0,
        "double": 0,
        **others,
    }


def test_every_sample_is_found_in_pages_of_any_order():
    samples, held = recorded([BEGIN + number * 7 for number in range(100)])
    for page in (held[50:], held[:20], held[20:50]):
        samples.match(page)
    assert counts(samples) == found(100)


def test_exactly_what_was_taken_away_is_missing():
    samples, held = recorded([BEGIN + number * 7 for number in range(100)])
    samples.match([one for one in held if one[1] not in {0, 41, 42, 99}])
    assert counts(samples) == found(96, missing=4)
    assert [value for _, value in samples.missing()] == [0, 41, 42, 99]
    assert samples.is_missing((BEGIN + 41 * 7) * MILLISECOND + 1)
    assert not samples.is_missing((BEGIN + 40 * 7) * MILLISECOND)
    assert not samples.is_missing((BEGIN + 41 * 7 + 1) * MILLISECOND)


def test_another_value_a_second_series_and_what_nobody_recorded_are_told_apart():
    samples, held = recorded([BEGIN + number * 7 for number in range(10)])
    samples.match([*held[:3], (held[3][0], 99.0), *held[4:], (BEGIN + 1000, 5.0)])
    samples.match([held[5]])
    assert counts(samples) == found(9, different=1, strange=1, double=1)


def test_samples_of_one_millisecond_are_sent_one_after_the_other():
    samples, held = recorded([BEGIN] * 500)
    samples.match(held)
    assert counts(samples) == found(500)


@pytest.mark.parametrize("request_size", [10**9, 100, 7, 1])
def test_of_a_burst_the_merged_ones_are_known_however_the_requests_were_cut(request_size):
    """Three samples a millisecond for two seconds, then a calm one."""
    times = [BEGIN + number // 3 for number in range(6000)] + [BEGIN + 10_000 + number for number in range(50)]
    samples, held = recorded(times, request_size)
    samples.match(held)
    assert counts(samples) == found(len(held), unmatched=len(times) - len(held))
    assert len(times) - len(held) > 2000


def test_a_sample_of_a_burst_that_is_not_there_is_unmatched_too():
    times = [BEGIN + number // 3 for number in range(6000)]
    samples, held = recorded(times)
    samples.match([one for one in held if not 1500 <= one[0] - BEGIN < 1600])
    assert counts(samples) == found(len(held) - 100, unmatched=len(times) - len(held) + 100)


def test_of_a_clock_that_was_set_back_one_sample_a_millisecond_can_be_held():
    times = [BEGIN + number for number in range(0, 5000, 10)] + [BEGIN + number for number in range(0, 5000, 10)]
    samples, held = recorded(times)
    assert len(held) == 500
    samples.match(held)
    assert counts(samples) == found(500, shared=500)


def test_of_shared_milliseconds_that_are_missing_one_could_have_been_held():
    samples, held = recorded([BEGIN + number for number in range(0, 5000, 10)] * 2)
    samples.match(held[1:])
    assert counts(samples) == found(499, shared=500, missing=1)


def test_a_series_is_named_by_its_labels_and_instance():
    key = Key.of(SERIES, "i")
    assert key.name == "synapse_job_metric"
    assert key.job == "j"
    assert str(key) == 'synapse_job_metric{synapse_metric_name="loss"}'


# --- pages --------------------------------------------------------------------------------------------------


def test_pages_cover_every_record_once_and_none_is_too_large():
    times = [array("q", range(0, 10_000, 3)), array("q", range(50_000, 50_400)), array("q")]
    found_pages = list(pages(times, most=100, longest=5_000))
    for (_, end), (begin, _) in pairwise(found_pages):
        assert end <= begin
    sizes = [sum(begin <= time < end for one in times for time in one) for begin, end in found_pages]
    assert sum(sizes) == sum(map(len, times))
    assert max(sizes) <= 100
    assert len(sizes) < 2 * sum(sizes) / 100 + 10


def test_a_clock_that_was_wrong_by_years_makes_no_page_of_years():
    times = [array("q", [0, 5, 10**15, 10**15 + 1])]
    assert [end - begin for begin, end in pages(times, most=10, longest=1000)] == [1000, 1000]


def test_more_records_than_a_page_has_at_one_time_are_a_page():
    assert list(pages([array("q", [7] * 50)], most=10, longest=1000)) == [(7, 8)]
