"""Curves are thinned out without losing what one looks for."""

from __future__ import annotations

import math

import pytest

from synapse_otel.runs.live.samples import Samples

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
