"""A space that encodes in both ways, compiled and in Python, and ends the process where they differ: for tests."""

from __future__ import annotations

from typing import Any, Final

from synapse_otel._compiled import compare, native
from synapse_otel.journal import frames
from synapse_otel.journal.frames import HEADER_SIZE, Kind
from synapse_otel.journal.memory.python_space import PythonSpace
from synapse_otel.semconv.signal import Signal

_BRIEF: Final = int(Kind.BRIEF)
_SAMPLES: Final = int(Kind.SAMPLES)


class ComparedSpace(PythonSpace):
    """Appends in Python what both ways have encoded alike."""

    __slots__ = ()

    def append_brief(
        self, time: int, template: int, body: str | None, data: dict[Any, Any] | None, plain: set[str]
    ) -> bool:
        """Compare a brief record's payloads, and append."""
        compiled = native.encode_brief(time, template, body, data, plain)
        if compiled is None:
            return False
        compare(compiled, frames.encode((time, template, body, data)))
        return self.append(_BRIEF, Signal.LOGS, compiled, 1)

    def append_samples(self, time: int, series: dict[Any, Any], values: dict[Any, Any]) -> bool:
        """Compare the payloads of samples, and append."""
        compiled = native.encode_samples(time, series, values)
        if compiled is None:
            return False
        pairs = [item for name, value in values.items() for item in (series[name], value)]
        compare(compiled, frames.encode((time, pairs)))
        return self.append(_SAMPLES, Signal.METRICS, compiled, len(values))

    def append(self, kind: int, signal: int, payload: bytes, count: int) -> bool:
        """Compare the frames in memory of their own, and append."""
        memory = bytearray(HEADER_SIZE + len(payload))
        space = native.Space(memory, len(memory))
        numbers = list(self.numbers) if self.numbers is not None else [0] * len(Signal)
        space.numbers = list(numbers)
        compare(space.append(kind, signal, payload, count), expected=True)
        compare(bytes(memory), frames.frame(kind, payload, count, numbers[signal] if count else 0))
        return super().append(kind, signal, payload, count)
