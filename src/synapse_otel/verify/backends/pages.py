"""Cuts the time of a run into pages, each with about as many records as an answer should have."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence


def pages(times: Sequence[array[int]], *, most: int, longest: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end (exclusive) of each page; what lies between two pages has no records.

    Args:
        times: ascending times, of several series.
        most: how many records a page has, unless more have the same time.
        longest: how long a page is at most, in the unit of the times.
    """
    places = [0] * len(times)
    width = longest
    while True:
        begin = min((one[at] for one, at in zip(times, places, strict=True) if at < len(one)), default=None)
        if begin is None:
            return
        width = min(width * 4, longest)
        ends = _ends(times, places, begin + width)
        while width > 1 and sum(ends) - sum(places) > most:
            width //= 2
            ends = _ends(times, places, begin + width)
        yield begin, begin + width
        places = ends


def _ends(times: Sequence[array[int]], places: list[int], end: int) -> list[int]:
    return [bisect_left(one, end, at) for one, at in zip(times, places, strict=True)]
