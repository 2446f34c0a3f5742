"""Where failures of telemetry end: they never reach a job, but tests may ask to have them raised.

A signal can come in the middle of any of our calls, and the host's handler runs there. What it raises (a time-out by
`signal.alarm`, say) is no failure of ours: it is let through.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Final

_raising: Final[list[bool]] = []


def contain(error: Exception) -> None:
    """Hold back a failure of telemetry, which its caller goes on to report; raise it where a test asks for that.

    Raises:
        Exception: `error`, where the handler of a signal has raised it, which came while our code ran.
    """
    if _raising:
        raise error
    let_through(error)


def let_through(error: BaseException) -> None:
    """Raise an exception again that comes from the handler of a signal; do nothing about any other."""
    trace = error.__traceback__
    while trace is not None:
        if _is_signal_handler(trace):
            raise error
        trace = trace.tb_next


def raise_foreign(error: OSError) -> None:
    """Raise an error again that has no number: the system did not report it; a `TimeoutError` of the host, say."""
    if error.errno is None:
        raise error


def _is_signal_handler(trace: TracebackType) -> bool:
    """Return whether a frame is that of a signal's handler: it is called with the frame that the signal came into."""
    frame = trace.tb_frame
    interrupted = frame.f_back
    if interrupted is None:
        return False
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + 2]
    values = [frame.f_locals[name] for name in names if name in frame.f_locals]
    return any(value is interrupted or _holds(value, interrupted) for value in values)


def _holds(value: object, frame: FrameType) -> bool:
    return isinstance(value, tuple) and any(item is frame for item in value)


@contextmanager
def raised() -> Iterator[None]:
    """Have failures of telemetry raised in the calls that they happen in, in every thread."""
    _raising.append(True)
    try:
        yield
    finally:
        _raising.pop()
