"""A clock that goes faster, so that an hour's outage or a day's job can be gone through in minutes."""

from __future__ import annotations

import time


def hasten(times_faster: float) -> None:
    """Have this process's clocks go faster from now on; to be called before what reads them is imported.

    What waits with a timeout (events, sockets) waits as long as ever: in the time of the clock it looks less often.
    """
    if times_faster == 1:
        return
    monotonic, wall = time.monotonic, time.time_ns
    begin, begin_wall = monotonic(), wall()

    def fast_monotonic() -> float:
        return begin + (monotonic() - begin) * times_faster

    def fast_time_ns() -> int:
        return begin_wall + int((wall() - begin_wall) * times_faster)

    time.monotonic = fast_monotonic
    time.time_ns = fast_time_ns
    time.time = lambda: fast_time_ns() / 1e9
