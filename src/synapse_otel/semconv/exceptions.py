"""The ``exception.*`` attributes of the semantic conventions."""

from __future__ import annotations

import traceback
from typing import Any, Final

from synapse_otel import semconv
from synapse_otel._guard import guarded
from synapse_otel._text import cut, described

STACK_LIMIT: Final = 16_384
"""Characters of a stack; its end, where the error is, is kept."""


def exception_attributes(error: BaseException) -> dict[str, Any]:
    """Return an exception's type, message and stack as attributes of a log record."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return {
        semconv.EXCEPTION_TYPE: name,
        semconv.EXCEPTION_MESSAGE: described(error, str),
        semconv.EXCEPTION_STACKTRACE: _stack(error),
    }


def _stack(error: BaseException) -> str:
    stack = guarded(
        lambda: "".join(traceback.format_exception(error)),
        otherwise=lambda failure: f"<stack unprintable: {type(failure).__name__}>",
    )
    return stack if len(stack) <= STACK_LIMIT else "[cut]\n" + cut(stack[-STACK_LIMIT:], STACK_LIMIT)
