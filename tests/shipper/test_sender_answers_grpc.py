"""A table of gRPC codes, and what each of them means."""

import grpc
import pytest

from synapse_otel.otlp.grpc_responses import failure, retry_delay_seconds
from synapse_otel.otlp.outcome import Invalid, Refused, Retry, TooLarge
from tests.sink_grpc import retry_info

MEANINGS = {
    "CANCELLED": Retry("answered CANCELLED: no", None, 499),
    "UNKNOWN": Retry("answered UNKNOWN: no", None, 500),
    "INVALID_ARGUMENT": Invalid("answered INVALID_ARGUMENT: no"),
    "DEADLINE_EXCEEDED": Retry("answered DEADLINE_EXCEEDED: no", None, 504),
    "NOT_FOUND": Refused("answered NOT_FOUND: no"),
    "ALREADY_EXISTS": Invalid("answered ALREADY_EXISTS: no"),
    "PERMISSION_DENIED": Refused("answered PERMISSION_DENIED: no"),
    "UNAUTHENTICATED": Refused("answered UNAUTHENTICATED: no"),
    "RESOURCE_EXHAUSTED": Retry("answered RESOURCE_EXHAUSTED: no", None, 429),
    "FAILED_PRECONDITION": Refused("answered FAILED_PRECONDITION: no"),
    "ABORTED": Retry("answered ABORTED: no", None, 409),
    "OUT_OF_RANGE": Retry("answered OUT_OF_RANGE: no", None, 400),
    "UNIMPLEMENTED": Refused("answered UNIMPLEMENTED: no"),
    "INTERNAL": Retry("answered INTERNAL: no", None, 500),
    "UNAVAILABLE": Retry("answered UNAVAILABLE: no", None, 503),
    "DATA_LOSS": Retry("answered DATA_LOSS: no", None, 500),
}
RETRYABLE = ["CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"]
"""By the OTLP specification."""


def test_every_code_has_a_meaning():
    assert set(MEANINGS) == {code.name for code in grpc.StatusCode} - {"OK"}


@pytest.mark.parametrize("code", MEANINGS)
def test_what_a_code_means(code):
    assert failure(code, "no") == MEANINGS[code]


@pytest.mark.parametrize("code", RETRYABLE)
def test_what_the_specification_calls_retryable_is_tried_again_when_the_server_says(code):
    assert failure(code, "", retry_info(2.5)) == Retry(f"answered {code}", 2.5, MEANINGS[code].status)


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "UNAUTHENTICATED", "UNIMPLEMENTED"])
def test_a_delay_changes_nothing_where_the_specification_has_none(code):
    assert failure(code, "no", retry_info(2.5)) == MEANINGS[code]


def test_resource_exhausted_with_a_delay_is_a_server_that_asks_for_patience_whatever_it_says():
    words = "message larger than max"
    expected = Retry(f"answered RESOURCE_EXHAUSTED: {words}", 7.0, 429)
    assert failure("RESOURCE_EXHAUSTED", words, retry_info(7), large=True) == expected


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("RESOURCE_EXHAUSTED", "SERVER: Received message larger than max (5000 vs. 1000)"),
        ("RESOURCE_EXHAUSTED", "grpc: received message larger than max (5000000 vs. 4194304)"),
        ("RESOURCE_EXHAUSTED", "grpc: received message after decompression larger than max 4194304"),
        ("RESOURCE_EXHAUSTED", "gRPC message exceeds maximum size 4194304: 5000000"),
        ("RESOURCE_EXHAUSTED", "Received message exceeds the maximum configured message size."),
        ("OUT_OF_RANGE", "Error, decoded message length too large: found 5000000 bytes, the limit is: 4194304 bytes"),
        ("INVALID_ARGUMENT", "request too large"),
    ],
)
def test_too_many_bytes_is_told_by_the_words_of_the_usual_servers(code, words):
    assert failure(code, words) == TooLarge(f"answered {code}: {words}")


@pytest.mark.parametrize(
    "words",
    [
        "Stream removed (CLIENT: Received message larger than max (5242880 vs. 1048576))",
        "received metadata size exceeds hard limit (20000 vs. 16384)",
    ],
)
def test_an_answer_that_is_too_large_says_nothing_about_the_request(words):
    assert failure("RESOURCE_EXHAUSTED", words) == Retry(f"answered RESOURCE_EXHAUSTED: {words}", None, 429)


def test_where_neither_delay_nor_words_tell_the_size_of_the_request_does():
    assert failure("RESOURCE_EXHAUSTED", "quota", large=True) == TooLarge(
        "answered RESOURCE_EXHAUSTED: quota", certain=False
    )
    assert failure("RESOURCE_EXHAUSTED", "quota") == Retry("answered RESOURCE_EXHAUSTED: quota", None, 429)


def test_words_are_one_line_without_what_a_terminal_obeys():
    assert failure("UNAVAILABLE", "a\nb\x1b[2J" + "c" * 1000).reason == "answered UNAVAILABLE: a b?[2J" + "c" * 293


@pytest.mark.parametrize(
    ("details", "seconds"),
    [
        (b"", None),
        (b"garbage", None),
        (b"\x08\x0e", None),
        (retry_info(0.25), 0.25),
        (retry_info(30), 30.0),
        (retry_info(86_400), 600.0),
        (retry_info(-3), 0.0),
    ],
)
def test_the_delay_that_a_server_asks_for(details, seconds):
    assert retry_delay_seconds(details) == seconds
