"""Exceptions that leave a job or step: their attributes, and the result that they mean."""

from __future__ import annotations

import sys
import traceback
from typing import Any, Final

from synapse_otel.contained import let_through
from synapse_otel.signals import semconv
from synapse_otel.signals.remote import worker_of
from synapse_otel.signals.values import cut, described

STACK_LIMIT: Final = 16_384
"""Characters of a stack; its end, where the error is, is kept."""


def exception_attributes(error: BaseException) -> dict[str, Any]:
    """Return the ``exception.*`` attributes of the semantic conventions."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return {
        semconv.EXCEPTION_TYPE: name,
        semconv.EXCEPTION_MESSAGE: described(error, str),
        semconv.EXCEPTION_STACKTRACE: _stack(error),
        **worker_of(error),
    }


def _stack(error: BaseException) -> str:
    try:
        stack = "".join(traceback.format_exception(error))
    except Exception as failure:  # noqa: BLE001 - formatting calls the str of a user's class
        let_through(failure)
        return f"<stack unprintable: {type(failure).__name__}>"
    return stack if len(stack) <= STACK_LIMIT else "[cut]\n" + cut(stack[-STACK_LIMIT:], STACK_LIMIT)


def result_of(error: BaseException | None) -> str:
    """Return the job's result that an exception means: *failure* is the work's, *cancellation* somebody's wish."""
    if error is None:
        return semconv.RESULT_SUCCESS
    if isinstance(error, SystemExit):
        return semconv.RESULT_SUCCESS if _exit_status(error) == 0 else semconv.RESULT_FAILURE
    if isinstance(error, KeyboardInterrupt | GeneratorExit) or _is_cancelled(error):
        return semconv.RESULT_CANCELLATION
    if isinstance(error, TimeoutError):
        return semconv.RESULT_TIMEOUT
    return semconv.RESULT_FAILURE


def _exit_status(error: SystemExit) -> int:
    """Return what the process ends with, as Python has it: anything but an integer or None is printed, and is 1."""
    code: object = error.code
    if code is None:
        return 0
    if not isinstance(code, int):
        return 1
    return code & 0xFF if -(1 << 63) <= code < 1 << 63 else 0xFF


def _is_cancelled(error: BaseException) -> bool:
    """Say whether a task of asyncio was cancelled; who has not loaded asyncio, which takes its time, has no task."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)
