"""The single live region of a terminal, shared by all loggers of this process."""

from __future__ import annotations

import os
from typing import TextIO

from synapse_otel._fork import Part, at_fork
from synapse_otel.plugins.loggers.console.terminal.live_region import LiveRegion
from synapse_otel.plugins.loggers.console.terminal.tty import Tty, TtyOfAnother

_areas: dict[int, LiveRegion] = {}


def area_on(stream: TextIO) -> LiveRegion | None:
    """Return the area on the terminal that a stream is; None if another process has its bars there.

    What this process prints is then led around those.
    """
    device = os.fstat(stream.fileno()).st_rdev
    area = _areas.get(device)
    if area is None or area.is_closed:
        try:
            area = LiveRegion(Tty(stream))
        except BlockingIOError:
            area = LiveRegion(TtyOfAnother(stream))
            area.inherit()
        _areas[device] = area
    return None if area.is_inherited else area


at_fork(Part.TERMINALS, _areas.clear)
