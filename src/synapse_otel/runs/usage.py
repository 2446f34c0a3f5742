"""Resource usage of a run, as curves: read from the files of its journals, without a backend."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from synapse_otel.journal.usage import GpuSample, Usage, UsageSample, read_usage, thinned
from synapse_otel.journal.usage_totals import UsageTotals, usage_totals

POINTS: Final = 360
"""Default maximum number of points of a curve: each is the maximum of its interval."""
_EVER: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class UsageLine:
    """A curve."""

    label: str
    times: list[int]
    """Unix times in ns."""
    values: list[float]


@dataclass(frozen=True, slots=True)
class UsageChart:
    """Curves of one unit, which belong together."""

    name: str
    """`cpu`, `memory`, `disk`, `network`, `processes`, `gpu`, `gpu memory` or `gpu power`."""
    unit: str
    """In UCUM's words: `{cpu}`, `By`, `By/s`, `1`, `W`, `{process}`."""
    limit: float | None
    """The limit; None: no limit."""
    lines: list[UsageLine] = field(default_factory=list)

    @property
    def peak(self) -> float:
        """The highest value."""
        return max((value for line in self.lines for value in line.values), default=math.nan)


@dataclass(frozen=True, slots=True)
class RunUsage:
    """Resource usage of the processes of a run."""

    charts: list[UsageChart]
    totals: list[UsageTotals]
    """Totals of each separately sampled process, with its descendants."""
    gpus_by: str = ""
    """How the GPUs were found: `processes`, `CUDA_VISIBLE_DEVICES`, or `all` if the run's own are unknown."""
    oom_killed: bool = False
    """A process of it died during an out-of-memory kill in its cgroup."""


def run_usage(folders: Iterable[Path], points: int = POINTS) -> RunUsage:
    """Return the resource usage of a run's journals, the first one first; each curve has at most so many points."""
    known = [usage for folder in folders if (usage := read_usage(folder)).samples]
    charts: dict[str, UsageChart] = {}
    for number, usage in enumerate(known):
        before = f"process {number + 1} " if len(known) > 1 else ""
        for name, unit, limit, label, line in _lines(usage, points):
            chart = charts.setdefault(name, UsageChart(name, unit, limit))
            if line:
                chart.lines.append(UsageLine(f"{before}{label}".strip(), *map(list, zip(*line, strict=True))))
    totals = [found for usage in known if (found := usage_totals(usage, 0, _EVER)) is not None]
    return RunUsage(
        [chart for chart in charts.values() if chart.lines],
        totals,
        next((usage.source.gpus_by for usage in known if usage.source is not None), ""),
        any(usage.oom_kill is not None for usage in known),
    )


_Line = list[tuple[int, float]]


def _lines(usage: Usage, points: int) -> Iterator[tuple[str, str, float | None, str, _Line]]:
    """Yield name, unit and limit of a chart, and label and points of one of its lines."""
    source = usage.source
    samples = thinned(usage.samples, points)
    cpus = source.cpus if source is not None else None
    yield "cpu", "{cpu}", cpus, "", _values(samples, lambda one: one.cpus)
    limit = (source.memory_limit if source is not None else 0) or None
    yield "memory", "By", limit, "", _values(samples, lambda one: one.memory_peak)
    yield "disk", "By/s", None, "read", _rates(samples, lambda one: one.disk_read)
    yield "disk", "By/s", None, "written", _rates(samples, lambda one: one.disk_written)
    yield "network", "By/s", None, "received", _rates(samples, lambda one: one.received)
    yield "network", "By/s", None, "sent", _rates(samples, lambda one: one.sent)
    for index in sorted({gpu.index for one in samples for gpu in one.gpus}):
        memory = next((gpu.memory for gpu in (source.gpus if source else []) if gpu.index == index), 0)
        yield "gpu", "1", 1.0, f"GPU {index}", _gpu(samples, index, lambda one: one.utilization)
        yield "gpu memory", "By", memory or None, f"GPU {index}", _gpu(samples, index, lambda one: one.memory)
        yield "gpu power", "W", None, f"GPU {index}", _gpu(samples, index, lambda one: one.power)


def _values(samples: Sequence[UsageSample], read: Callable[[UsageSample], float | None]) -> _Line:
    return [(sample.time, value) for sample in samples if (value := read(sample)) is not None]


def _rates(samples: Sequence[UsageSample], read: Callable[[UsageSample], float | None]) -> _Line:
    """Return how fast a counter grew, a second, between each two samples."""
    found = []
    for (begin, one), (end, other) in pairwise(_values(samples, read)):
        if end > begin:
            found.append((end, max(other - one, 0.0) / ((end - begin) / 1e9)))
    return found


def _gpu(samples: Sequence[UsageSample], index: int, read: Callable[[GpuSample], float | None]) -> _Line:
    return [
        (sample.time, value)
        for sample in samples
        for gpu in sample.gpus
        if gpu.index == index and (value := read(gpu)) is not None
    ]
