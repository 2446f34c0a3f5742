"""Where failures of telemetry end: they never reach a job, but tests may ask to have them raised.

A signal can come in the middle of any of our calls, and the host's handler runs there. What it raises (a time-out by
`signal.alarm`, say) is no failure of ours: it is let through. Its traceback leads through a function that is in place
as the handler of a signal.
"""

from __future__ import annotations

import os
import sys

# In C: `signal.getsignal` makes an enum of what it finds, and takes a handler's ValueError for one of the enum's own.
from _signal import getsignal  # type: ignore[import-not-found]
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from signal import valid_signals
from traceback import StackSummary, walk_tb
from types import CodeType, TracebackType
from typing import Any, Final, TypeVar

_raising: Final[list[bool]] = []
_SIGNALS: Final = tuple(valid_signals())
_Result = TypeVar("_Result")


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
    entry = error.__traceback__
    handlers = list(_handlers()) if entry is not None and entry.tb_next is not None else []
    while handlers and entry is not None:
        if any(_leads_through(entry, code) for code in handlers):
            raise error
        entry = entry.tb_next


def guarded(call: Callable[..., _Result], *arguments: Any, otherwise: Callable[[Exception], _Result]) -> _Result:
    """Return what code that is not ours returns, or what is `otherwise` made of the exception that it raises."""
    try:
        return call(*arguments)
    except Exception as error:  # noqa: BLE001 - such code may raise anything
        let_through(error)
        return otherwise(error)


def raise_foreign(error: OSError) -> None:
    """Raise an error again that the system did not report: it has no number, or a signal's handler has raised it."""
    if error.errno is None:
        raise error
    let_through(error)


def _handlers() -> Iterator[CodeType]:
    """Yield the code of the functions that are in place as the handlers of signals."""
    for handler in filter(callable, map(getsignal, _SIGNALS)):
        function: Any = handler
        while isinstance(function, partial):
            function = function.func
        code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
        if code is not None:
            yield code


def _leads_through(entry: TracebackType, code: CodeType) -> bool:
    """Return whether an entry of a traceback stands in a function: at that place, in that file, by that name."""
    if all(line != entry.tb_lineno or not begin <= entry.tb_lasti < end for begin, end, line in code.co_lines()):
        return False
    (found,) = StackSummary.extract(walk_tb(entry), limit=1, lookup_lines=False)
    return (found.filename, found.name) == (code.co_filename, code.co_name)


@contextmanager
def raised() -> Iterator[None]:
    """Have failures of telemetry raised in the calls that they happen in, in every thread."""
    _raising.append(True)
    try:
        yield
    finally:
        _raising.pop()


def allow_imports() -> None:
    """Let libraries be imported where the working directory is gone, and the path for modules has it as ``""``.

    A package that lies in several folders (``backports``, which urllib3 looks for) searches the whole path, and fails
    there. Python's own search passes over such a folder; so does this one, when it finds that nothing is to be had.
    """
    try:
        os.getcwd()  # noqa: PTH109 - as the search for modules does
    except OSError:
        sys.path_importer_cache.setdefault("", None)
