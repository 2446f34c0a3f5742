"""What a gRPC status that is no success means.

By the OTLP specification, "OTLP/gRPC Response", but for what keeps data that it would drop: it calls eight codes not
retryable. Of these only `INVALID_ARGUMENT` and `ALREADY_EXISTS` are about the request's content. The others tell of
a setting that is wrong (`Refused`), or of a server in trouble (`Retry`).

`RESOURCE_EXHAUSTED` has two meanings, too many requests and too many bytes. With a delay in its details it is the
first, as the specification says. Without, the words tell, and where they do not, the size of the request.
"""

from __future__ import annotations

import re
from typing import Final

from synapse_otel.otlp.http_responses import one_line
from synapse_otel.otlp.outcome import Invalid, Outcome, Refused, Retry, TooLarge
from synapse_otel.otlp.retry_after import LONGEST_RETRY_AFTER_SECONDS

STATUS_DETAILS: Final = "grpc-status-details-bin"
"""Trailing metadata with a ``google.rpc.Status``, in whose details a ``RetryInfo`` stands."""

_TEMPORARY: Final = {
    "CANCELLED": 499,
    "DEADLINE_EXCEEDED": 504,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    # By the specification not retryable. From a server in trouble, and from one that fails on what it is sent.
    "UNKNOWN": 500,
    "INTERNAL": 500,
}
"""By code: the HTTP status that ``google.rpc.Code`` says is nearest."""
_CONTENT: Final = frozenset({"INVALID_ARGUMENT", "ALREADY_EXISTS"})
_EXHAUSTED: Final = "RESOURCE_EXHAUSTED"
_TOO_MANY_REQUESTS: Final = 429
_SIZE: Final = re.compile(
    r"larger than max|larger than the limit|too large|too big"
    r"|exceeds (the )?(max|limit|size)|maximum (configured )?(message|request) size",
    re.IGNORECASE,
)
"""How servers say that a message has too many bytes: gRPC for C++, Go, Java, .NET, Node, and Rust, which says it with
the code ``OUT_OF_RANGE``."""
_OF_THE_CLIENT: Final = re.compile(r"CLIENT: |received metadata size|trailing metadata size", re.IGNORECASE)
"""The answer was too large, not the request."""


def failure(code: str, words: str, details: bytes = b"", *, large: bool = False) -> Outcome:
    """Return what a status that is not ``OK`` means.

    Args:
        code: Name of the gRPC code.
        words: The status' message.
        details: The ``google.rpc.Status`` in protobuf that came with it, if any.
        large: The request had so many bytes that they may be the reason, though nothing says so.

    """
    said = one_line(words)
    reason = f"answered {code}: {said}" if said else f"answered {code}"
    after = retry_delay_seconds(details)
    about_size = bool(_SIZE.search(words)) and not _OF_THE_CLIENT.search(words)
    if code == _EXHAUSTED:
        if after is None and (about_size or large):
            return TooLarge(reason, certain=about_size)
        return Retry(reason, after, _TOO_MANY_REQUESTS)
    if about_size and code in {"OUT_OF_RANGE", "INVALID_ARGUMENT"}:
        return TooLarge(reason)
    if code in _CONTENT:
        return Invalid(reason)
    if code in _TEMPORARY:
        return Retry(reason, after, _TEMPORARY[code])
    return Refused(reason)


def retry_delay_seconds(details: bytes) -> float | None:
    """Return the seconds that a ``google.rpc.RetryInfo`` asks for, 10 minutes at most; None where there is none."""
    if not details:
        return None
    from google.protobuf.message import DecodeError
    from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
    from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

    info = RetryInfo()
    try:
        found = any(detail.Unpack(info) for detail in Status.FromString(details).details)
    except DecodeError:
        return None
    delay = info.retry_delay
    return min(max(delay.seconds + delay.nanos / 1e9, 0.0), LONGEST_RETRY_AFTER_SECONDS) if found else None
