"""Curves are thinned out without losing what one looks for."""

from __future__ import annotations

import math
from array import array

import pytest

from synapse_otel.runs.live.samples import Samples, usual

pytestmark = pytest.mark.once


@pytest.fixture
def curve():
    samples = Samples(name="m", metric="loss", category="", unit="", instrument="gauge")
    samples.times.extend(at * 1_000_000 for at in range(100_000))
    samples.values.extend(math.sin(at / 500) for at in range(100_000))
    samples.values[54_321] = 9.0
    samples.values[77_777] = -9.0
    return samples


def test_no_peak_is_lost_however_few_points_are_drawn(curve):
    drawn = curve.drawn(100)
    assert len(drawn.v) <= 102
    assert max(drawn.v) == 9.0
    assert min(drawn.v) == -9.0
    assert drawn.n == sorted(set(drawn.n))
    assert (drawn.n[0], drawn.n[-1]) == (0, 99_999)
    assert all(curve.values[at] == value for at, value in zip(drawn.n, drawn.v, strict=True))


def test_few_points_are_drawn_as_they_are(curve):
    drawn = curve.drawn(1000, 50_000, 50_010)
    assert drawn.n == list(range(49_999, 50_012))
    assert drawn.t[1] == 50_000


def test_a_part_is_drawn_more_finely(curve):
    drawn = curve.drawn(200, 50_000, 60_000)
    assert 49_998 < drawn.t[0] <= 50_000
    assert 60_000 <= drawn.t[-1] < 60_002
    assert max(drawn.v) == 9.0
    assert curve.drawn(200, 50_000, 60_000, by_number=True).n[0] == 49_999


def test_means_are_what_a_smoothed_curve_is_made_of(curve):
    drawn = curve.drawn(100, mean=True)
    assert len(drawn.v) == 100
    assert max(drawn.v) < 1.1
    assert sum(drawn.v) / 100 == pytest.approx(sum(curve.values) / 100_000, abs=1e-6)


@pytest.mark.parametrize("span", [(-1e9, -1e8), (1e12, 2e12), (60_000, 50_000), (None, None)])
def test_any_part_can_be_asked_for(curve, span):
    assert len(curve.drawn(50, *span).v) <= 52
    assert len(curve.drawn(50, *span, by_number=True).v) <= 52


def series(name, *samples):
    made = Samples(name="m", metric=name, category="", unit="", instrument="gauge")
    made.times.extend(time for time, _value in samples)
    made.values.extend(value for _time, value in samples)
    return made


def test_a_curve_is_drawn_over_a_metric_that_the_same_calls_reported():
    step = series("step", *((at, at / 2) for at in range(0, 1000, 2)))
    loss = series("loss", *((at, -at) for at in range(0, 1000, 4)), (1001, 7.0))
    drawn = loss.along(step).drawn(1000)
    assert drawn.x == [at / 2 for at in range(0, 1000, 4)]  # the last one has no step
    assert drawn.v == [-at for at in range(0, 1000, 4)]
    assert not loss.is_along(step)
    assert step.is_along(step) is False


def test_a_metric_is_an_axis_for_what_is_reported_with_it():
    step = series("step", *((at, at) for at in range(100)))
    assert series("loss", *((at, 0.5) for at in range(100))).is_along(step)
    assert series("validation", *((at, 0.5) for at in range(0, 100, 10))).is_along(step)
    assert not series("other", *((at + 1000, 0.5) for at in range(100))).is_along(step)
    assert not series("earlier", (5, 0.5), (6, 0.5), (100, 0.5)).is_along(step)


def test_an_axis_that_goes_back_is_drawn_in_its_own_order():
    step = series("step", *enumerate([0.0, 1.0, 2.0, 1.0, 2.0, 3.0]))  # resumed
    drawn = series("loss", *enumerate([6.0, 5.0, 4.0, 4.5, 3.5, 2.5])).along(step).drawn(100)
    assert drawn.x == [0, 1, 1, 2, 2, 3]
    assert drawn.v == [6, 5, 4.5, 4, 3.5, 2.5]


def test_a_part_of_an_axis_is_drawn_more_finely_and_keeps_its_peaks(curve):
    step = series("step", *((at, at * 10.0) for at in curve.times))
    step.values[:] = array("d", (at * 10.0 for at in range(len(curve))))
    drawn = curve.along(step).drawn(100, 500_000, 600_000)
    assert (drawn.x[0], drawn.x[-1]) == (499_990, 600_010)
    assert max(drawn.v) == 9.0
    assert len(curve.along(step).drawn(100).v) <= 102
    assert curve.along(step).drawn(50, 2e6, 3e6).x == [999_990]


def test_outliers_are_what_is_beyond_a_percentile(curve):
    assert curve.drawn(100, cut=1).usual == pytest.approx((-1, 1), abs=0.01)
    assert curve.drawn(100).usual is None
    assert usual([float(at) for at in range(100)], 5) == (5, 94)
    assert usual([1.0, 1000.0], 5) is None
    assert usual([1.0] * 40, 49) == (1, 1)
