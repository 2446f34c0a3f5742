"""A table of answers, and what each of them means."""

import email.utils

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from synapse_otel.otlp.http_responses import Answer, outcome
from synapse_otel.otlp.outcome import Accepted, Invalid, Refused, Retry, TooLarge
from synapse_otel.otlp.retry_after import retry_after_seconds
from synapse_otel.semconv.signal import Signal

NOW = 1_700_000_000.0
PROTOBUF = "application/x-protobuf"
JSON = "application/json; charset=utf-8"
HTML = "text/html"
TEXT = "text/plain; charset=utf-8"
STATUS = b"\x08\x03\x12\x08bad span"
"""A ``google.rpc.Status`` with code 3 and a message."""
PARTLY = ExportLogsServiceResponse(partial_success={"rejected_log_records": 2, "error_message": "too old"})
WARNING = ExportLogsServiceResponse(partial_success={"error_message": "use\nv2"})
NEGATIVE = ExportLogsServiceResponse(partial_success={"rejected_log_records": -2})
RETRY_200 = "answered 200 with a body of type {} that is not an OTLP response{}"


@pytest.mark.parametrize(
    ("status", "media_type", "body", "meaning"),
    [
        (200, PROTOBUF, b"", Accepted()),
        (200, "", b"", Accepted()),
        (200, PROTOBUF, b"\x0a\x00", Accepted()),
        (200, PROTOBUF, ExportLogsServiceResponse().SerializeToString(), Accepted()),
        (200, PROTOBUF, PARTLY.SerializeToString(), Accepted(2, "too old")),
        (200, "application/octet-stream", PARTLY.SerializeToString(), Accepted(2, "too old")),
        (200, PROTOBUF, WARNING.SerializeToString(), Accepted(0, "use v2")),
        (200, PROTOBUF, NEGATIVE.SerializeToString(), Accepted()),
        (200, PROTOBUF, b"<html>", Retry(RETRY_200.format(PROTOBUF, ""), None, 200)),
        (200, PROTOBUF, b"\x0a\x7f", Retry(RETRY_200.format(PROTOBUF, ""), None, 200)),
        (200, HTML, b"<h1>Please log in", Retry(RETRY_200.format(HTML, ""), None, 200)),
        (200, TEXT, b"OK\x1b[2J", Retry(RETRY_200.format("text/plain", ": OK?[2J"), None, 200)),
        (200, JSON, b"{}", Accepted()),
        (200, JSON, b'{"partialSuccess": {}}', Accepted()),
        (200, JSON, b'{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"no"}}', Accepted(3, "no")),
        (200, JSON, b'{"partialSuccess":{"rejectedSpans":4}}', Accepted(4)),
        (200, JSON, b'{"error": "no such tenant"}', Retry(RETRY_200.format("application/json", ""), None, 200)),
        (200, JSON, b"[]", Retry(RETRY_200.format("application/json", ""), None, 200)),
        (200, JSON, b"{", Retry(RETRY_200.format("application/json", ""), None, 200)),
        (202, PROTOBUF, b"", Refused("answered 202")),
        (204, "", b"", Refused("answered 204")),
        (304, "", b"", Refused("answered 304")),
        (400, PROTOBUF, STATUS, Invalid("answered 400: bad span")),
        (400, JSON, b'{"code":3,"message":"bad span"}', Invalid("answered 400: bad span")),
        (400, JSON, b"no JSON", Invalid("answered 400")),
        (400, TEXT, b"out of order sample\n", Invalid("answered 400: out of order sample")),
        (400, "", b"", Invalid("answered 400")),
        (400, PROTOBUF, b"garbage", Invalid("answered 400")),
        (400, HTML, b"<html>", Refused("answered 400")),
        (400, "", b"Client sent an HTTP request", Refused("answered 400: Client sent an HTTP request")),
        (422, TEXT, b"", Invalid("answered 422")),
        (401, TEXT, b"no token", Refused("answered 401: no token")),
        (402, "", b"", Refused("answered 402")),
        (403, HTML, b"<h1>no", Refused("answered 403")),
        (404, TEXT, b"404 page not found", Refused("answered 404: 404 page not found")),
        (405, "", b"", Refused("answered 405")),
        (407, "", b"", Refused("answered 407")),
        (415, "", b"", Refused("answered 415")),
        (431, "", b"", Refused("answered 431")),
        (413, TEXT, b"x" * 1000, TooLarge("answered 413: " + "x" * 300)),
        (408, "", b"", Retry("answered 408", None, 408)),
        (429, PROTOBUF, STATUS, Retry("answered 429: bad span", None, 429)),
        (500, TEXT, b"oops", Retry("answered 500: oops", None, 500)),
        (501, "", b"", Retry("answered 501", None, 501)),
        (502, HTML, b"<h1>Bad gateway", Retry("answered 502", None, 502)),
        (503, "", b"", Retry("answered 503", None, 503)),
        (504, "", b"", Retry("answered 504", None, 504)),
        (505, "", b"", Retry("answered 505", None, 505)),
        (599, "", b"", Retry("answered 599", None, 599)),
    ],
)
def test_what_an_answer_means(status, media_type, body, meaning):
    headers = {"content-type": media_type} if media_type else {}
    assert outcome(Answer(status, headers, body), Signal.LOGS) == meaning


@pytest.mark.parametrize(
    ("signal", "response"),
    [
        (Signal.METRICS, ExportMetricsServiceResponse(partial_success={"rejected_data_points": 7})),
        (Signal.TRACES, ExportTraceServiceResponse(partial_success={"rejected_spans": 7})),
    ],
)
def test_each_signal_counts_its_own_records(signal, response):
    assert outcome(Answer(200, {"content-type": PROTOBUF}, response.SerializeToString()), signal) == Accepted(7)


def test_a_redirect_says_where_to_and_no_secret():
    headers = {"location": "https://user:pass@elsewhere/login?token=secret"}
    assert outcome(Answer(302, headers, b""), Signal.LOGS) == Refused(
        "answered 302, a redirect to https://elsewhere/login"
    )


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_server_that_asks_for_time_gets_it(status):
    assert outcome(Answer(status, {"retry-after": "7"}, b""), Signal.LOGS) == Retry(f"answered {status}", 7.0, status)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 12 ", 12.0),
        ("9" * 5000, 600.0),
        (email.utils.formatdate(NOW + 90, usegmt=True), 90.0),
        (email.utils.formatdate(NOW - 90, usegmt=True), 0.0),
        (email.utils.formatdate(NOW + 1e6, usegmt=True), 600.0),
        ("Sun, 06 Nov 1994 08:49:37", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("²", None),
        ("Sun, 99 Nov 99999999999 08:49:37 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert retry_after_seconds(value, NOW) == seconds
