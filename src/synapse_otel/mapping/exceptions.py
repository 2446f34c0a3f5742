"""Exceptions that leave a job or step: their attributes, and the result that they mean."""

from __future__ import annotations

import sys
from typing import Any

from synapse_otel import semconv
from synapse_otel.mapping.propagation.worker_identity import worker_of
from synapse_otel.semconv.exceptions import exception_attributes as plain_attributes


def exception_attributes(error: BaseException) -> dict[str, Any]:
    """Return an exception's ``exception.*`` attributes, and for one of Ray's those of the failed worker."""
    return {**plain_attributes(error), **worker_of(error)}


def result_of(error: BaseException | None) -> str:
    """Return the job's result for an exception: *failure* of the work, or *cancellation* on request."""
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
    """Return Python's exit status for a value: anything but an integer or None is printed, and gives 1."""
    code: object = error.code
    if code is None:
        return 0
    if not isinstance(code, int):
        return 1
    return code & 0xFF if -(1 << 63) <= code < 1 << 63 else 0xFF


def _is_cancelled(error: BaseException) -> bool:
    """Return whether an asyncio task was cancelled; asyncio is not loaded for it: without it there is no task."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)
