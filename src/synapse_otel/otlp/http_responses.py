"""What an HTTP answer to an export request means.

By the OTLP specification, "OTLP/HTTP Response", but for two things that keep data it would drop: a status that
it calls permanent and that is not about the request's content is `Retry` or `Refused`, and only what is a
success in every part counts as one. 415 is `Refused`: a server that does not take protobuf, or gzip, says it to
every record, and bisection would put all of them aside. So does an error page with status 400.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from synapse_otel.otlp.destination import shown_url
from synapse_otel.otlp.outcome import Accepted, Invalid, Outcome, Refused, Retry, TooLarge
from synapse_otel.otlp.retry_after import retry_after_seconds
from synapse_otel.semconv.signal import Signal

LARGEST_ANSWER: Final = 1 << 20
"""Bytes of an answer that are read; no OTLP response comes near."""
LONGEST_TEXT: Final = 300
"""Characters of a server's words that are kept."""

_OK: Final = 200
_TOO_LARGE: Final = 413
_INVALID: Final = frozenset({400, 422})
_TEMPORARY: Final = frozenset({408, 429})
_SERVER_ERRORS: Final = 500
_EMPTY: Final = frozenset({b"", b"\x0a\x00"})
"""An empty response, and one with an empty ``partial_success``, which is what the Collector answers."""
_PROTOBUF: Final = frozenset({"", "application/x-protobuf", "application/protobuf", "application/octet-stream"})
_JSON: Final = "application/json"
_RESPONSES: Final = {
    Signal.LOGS: ("logs", "ExportLogsServiceResponse", "rejected_log_records"),
    Signal.METRICS: ("metrics", "ExportMetricsServiceResponse", "rejected_data_points"),
    Signal.TRACES: ("trace", "ExportTraceServiceResponse", "rejected_spans"),
}


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    """By name, in any case."""
    body: bytes

    @property
    def media_type(self) -> str:
        """What the body is said to be, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def outcome(answer: Answer, signal: Signal, now: float | None = None) -> Outcome:
    """Return what an answer means.

    Args:
        answer: The server's.
        signal: Of the request.
        now: Unix time in seconds that a date in ``Retry-After`` is counted from.

    """
    status = answer.status
    if status == _OK:
        return _accepted(answer, signal)
    reason = _reason(answer)
    if status == _TOO_LARGE:
        return TooLarge(reason)
    if status in _INVALID and not _is_error_page(answer):
        return Invalid(reason)
    if status in _TEMPORARY or status >= _SERVER_ERRORS:
        return Retry(reason, retry_after_seconds(answer.headers.get("retry-after", ""), now), status)
    return Refused(reason)


def one_line(text: str) -> str:
    """Return words of a server's fit for a log line: one line, nothing that a terminal would obey."""
    words = " ".join(text.split())
    return "".join(character if character.isprintable() else "?" for character in words)[:LONGEST_TEXT]


def _accepted(answer: Answer, signal: Signal) -> Outcome:
    """Return `Accepted` when the body is the response that OTLP defines."""
    body, media_type = answer.body, answer.media_type
    try:
        if not body:
            return Accepted()
        if media_type in _PROTOBUF:
            return response(body, signal)
        if media_type == _JSON:
            return _from_json(body)
    except ValueError:  # of msgspec and of protobuf alike
        pass
    said = f"a body of type {media_type or 'unknown'} that is not an OTLP response"
    return Retry(f"answered 200 with {said}{_quoted(answer)}", status=_OK)


def response(body: bytes, signal: Signal) -> Accepted:
    """Return what a response of OTLP in protobuf says; `ValueError` when it is none."""
    if body in _EMPTY:
        return Accepted()
    package, name, rejected = _RESPONSES[signal]
    partial = _parse(f"opentelemetry.proto.collector.{package}.v1.{package}_service_pb2", name, body).partial_success
    return _partial(getattr(partial, rejected), partial.error_message)


def _from_json(body: bytes) -> Accepted:
    partial = msgspec.json.decode(body, type=_JsonResponse, strict=False).partial_success
    rejected = partial.rejected_log_records or partial.rejected_data_points or partial.rejected_spans
    return _partial(rejected, partial.error_message)


def _partial(rejected: int, message: str) -> Accepted:
    return Accepted(max(rejected, 0), one_line(message))


class _JsonPartialSuccess(msgspec.Struct, rename="camel"):
    rejected_log_records: int = 0
    rejected_data_points: int = 0
    rejected_spans: int = 0
    error_message: str = ""


class _JsonResponse(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``{"error": ...}`` must not pass for an empty response."""

    partial_success: _JsonPartialSuccess = msgspec.field(default_factory=_JsonPartialSuccess)


class _JsonStatus(msgspec.Struct):
    message: str = ""


def _is_error_page(answer: Answer) -> bool:
    """Tell whether somebody in between answered, or a server that speaks TLS, who says 400 to every request."""
    return answer.media_type == "text/html" or (bool(answer.body) and not answer.headers.get("content-type"))


def _reason(answer: Answer) -> str:
    redirect = answer.headers.get("location")
    to = f", a redirect to {one_line(shown_url(redirect))}" if redirect else ""
    return f"answered {answer.status}{to}{_quoted(answer)}"


def _quoted(answer: Answer) -> str:
    said = one_line(_error_text(answer))
    return f": {said}" if said else ""


def _error_text(answer: Answer) -> str:
    """Return the message of the ``google.rpc.Status`` that an error's body holds, or the text that it is."""
    body, media_type = answer.body, answer.media_type
    try:
        if media_type == _JSON:
            return msgspec.json.decode(body, type=_JsonStatus).message
        if body and media_type in _PROTOBUF - {""}:
            return _status_message(body)
    except ValueError:
        return ""
    return "" if media_type == "text/html" else body[:LONGEST_TEXT].decode(errors="replace")


def _status_message(body: bytes) -> str:
    """Return a ``google.rpc.Status``' message, parsed by a message of OTLP whose fields 1 and 2 are the same."""
    module = "opentelemetry.proto.collector.logs.v1.logs_service_pb2"
    return str(_parse(module, "ExportLogsPartialSuccess", body).error_message)


def _parse(module: str, name: str, body: bytes) -> Any:
    """Parse a message; protobuf is loaded for the first that is not empty, as most servers never send one.

    Raises:
        ValueError: When the body is no such message.

    """
    try:
        return getattr(importlib.import_module(module), name).FromString(body)
    except importlib.import_module("google.protobuf.message").DecodeError as error:
        raise ValueError(str(error)) from error
