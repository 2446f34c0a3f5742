"""`ErrorCount`: how many errors a run had, where one exception leaves several records."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from synapse_otel import semconv
from synapse_otel.runs import LogKind
from synapse_otel.runs.live.log_records import LogRecords
from synapse_otel.semconv.severity import Severity

_KINDS: Final = list(LogKind)
_EXCEPTION: Final = _KINDS.index(LogKind.EXCEPTION)
_LIFE: Final = _KINDS.index(LogKind.LIFE)
_LOGGING: Final = _KINDS.index(LogKind.LOGGING)
_FRAME: Final = re.compile(r'^  File "[^"\n]*", line \d+, in .*$', re.MULTILINE)
_CAUSED: Final = "\nThe above exception was the direct cause of the following exception:\n"
_KEPT: Final = 64
"""The newest exceptions that a later record is compared with."""


class _Raised(NamedTuple):
    """An exception as a record shows it: what it says, and the frames that it has passed, the outermost first."""

    text: str
    frames: tuple[str, ...]


class ErrorCount:
    """The number of errors among log records, kept up to date while more arrive.

    An error is a record of level ERROR or above. One exception is one error, however often it was logged, and recorded
    as it left a step and the job: a record shows the same exception as an earlier one if it has the same class, message
    and innermost frames, and has passed more frames since; or if it is raised from it. The same line that fails
    again is another error. The end of a failed job is one only if there was no other.
    """

    def __init__(self, logs: LogRecords) -> None:
        self._logs = logs
        self.clear()

    def clear(self) -> None:
        """Begin again: the order of the records has changed."""
        self._seen = 0
        self._found = 0
        self._ends = 0
        self._known: list[_Raised] = []

    def count(self) -> int:
        """Return the number of errors."""
        logs = self._logs
        for at in range(self._seen, len(logs)):
            if logs.severities[at] >= Severity.ERROR:
                if logs.kinds[at] == _LIFE:
                    self._ends += 1
                elif not self._is_known(at):
                    self._found += 1
        self._seen = len(logs)
        return self._found or self._ends

    def _is_known(self, at: int) -> bool:
        """Return whether a record shows an exception that an earlier one has shown; if not, keep it."""
        kind = self._logs.kinds[at]
        raised = _raised(self._logs.recorded_attributes(at)) if kind in {_EXCEPTION, _LOGGING} else []
        if not raised:
            return False
        *causes, own = raised
        for place in range(len(self._known) - 1, -1, -1):
            known = self._known[place]
            if _goes_on(known, own, stays=kind == _EXCEPTION) or any(_goes_on(known, one) for one in causes):
                self._known[place] = own
                return True
        self._known.append(own)
        del self._known[:-_KEPT]
        return False


def _raised(attributes: dict[str, object]) -> list[_Raised]:
    """Return the exception of a record, after those that it was raised from; empty if it has none."""
    name = str(attributes.get(semconv.EXCEPTION_TYPE, "")).removeprefix("__main__.")
    if not name:
        return []
    *causes, own = str(attributes.get(semconv.EXCEPTION_STACKTRACE, "")).split(_CAUSED)
    text = f"{name}: {attributes.get(semconv.EXCEPTION_MESSAGE, '')}"
    found = [_Raised(_last_lines(cause), tuple(_FRAME.findall(cause))) for cause in causes]
    return [*found, _Raised(text.removesuffix(": "), tuple(_FRAME.findall(own)))]


def _last_lines(stack: str) -> str:
    """Return what a printed exception says, which stands behind its frames."""
    lines = stack.strip().splitlines()
    begin = max((at for at, line in enumerate(lines) if line.startswith("  ")), default=-1) + 1
    return "\n".join(lines[begin:])


def _goes_on(before: _Raised, now: _Raised, *, stays: bool = True) -> bool:
    """Return whether an exception is one that was recorded before; ``stays``: it need not have passed more frames."""
    if before.text != now.text:
        return False
    common = min(len(before.frames), len(now.frames))
    if before.frames[len(before.frames) - common :] != now.frames[len(now.frames) - common :]:
        return False
    return stays or len(now.frames) > len(before.frames)
