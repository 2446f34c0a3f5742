"""What is taken away before two runs are compared, and what is not."""

from __future__ import annotations

import json

import pytest

from tests.synapse_sdk import normalise

pytestmark = pytest.mark.once


def _text(value):
    return normalise.text(value, "run1", "/folder/of/one")


def _request(path="/logs/", headers=(), **body):
    kept = {"method": "POST", "path": path, "headers": [list(header) for header in headers], "body": json.dumps(body)}
    return normalise.request(kept, "run1", "/folder/of/one")


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("2026-11-28 17:41:46,119 - synapse_sdk", "<time> - synapse_sdk"),
        ("Progress: 33.33% | ETA: 0.02s", "Progress: 33.33% | ETA: <seconds>s"),
        ("<object at 0x7f12e6783380>", "<object at <address>>"),
        ("pid=12611, actor_id=6f7ba723618d53a6e489ebcb02000000", "pid=<id>, actor_id=<id>"),
        (
            "/folder/of/one/curve.png of http://127.0.0.1:80/run1/ok",
            "<folder>/curve.png of http://127.0.0.1:80/<run>/ok",
        ),
        (r"\tpid: 18699\tnamespace: b8ee8934-af89-4b6f-9130-4aae040bc53d", r"\tpid=<id>\tnamespace: <id>"),
        ("'time_remaining': 1.5, 'percent': 1.5", "'time_remaining': <s>, 'percent': 1.5"),
    ],
)
def test_times_and_ids_are_taken_away(was, becomes):
    assert _text(was) == becomes


@pytest.mark.parametrize("word", ["deadbeef-free text", "50.0%", "trial_1", "accuracy", "1234567", "job 42"])
def test_what_a_plugin_says_stays(word):
    assert _text(word) == word


def test_a_frame_of_ours_is_taken_out_of_a_traceback_and_no_other():
    theirs = 'Traceback (most recent call last):\n  File "/a/action.py", line 1, in run\n    work()\n    ~~~~^^\nE: x\n'
    ours = '  File "/src/synapse_otel/integrations/sdk.py", line 9, in dispatch\n    return call()\n           ^^^^\n'
    assert _text(theirs.replace("E: x", ours + "E: x")) == theirs


def test_of_a_request_only_the_trace_header_and_the_length_are_taken_away():
    headers = [
        ("User-Agent", "python-requests"),
        ("traceparent", "00-1-2-01"),
        ("Content-Length", "12"),
        ("baggage", "a=1"),
    ]
    kept = _request(headers=headers, event="e")["headers"]
    assert kept == [["User-Agent", "python-requests"], ["Content-Length", "<length>"], ["baggage", "a=1"]]


def test_the_order_and_the_values_of_a_body_count():
    assert _request(a=1, b=2) != _request(b=2, a=1)
    assert _request(percent=6.0) != _request(percent=100.0)
    assert _request(datetime="2026-01-01T00:00:00Z") == _request(datetime="2027-02-02T00:00:00Z")


def test_logs_sent_by_a_clock_are_alike_however_they_were_bundled():
    one, two = {"event": "a"}, {"event": "b"}
    single = [_request(**one), _request(**two)]
    bundle = [{**single[0], "body": json.dumps([one, two])}]
    assert normalise.sent_in_background(single, polled=False) == normalise.sent_in_background(bundle, polled=False)
    assert normalise.sent_in_background(single[:1], polled=False) != normalise.sent_in_background(bundle, polled=False)


def test_of_progress_sent_by_a_clock_the_last_counts():
    first, last = _request("/jobs/j/", progress_record={"p": 1}), _request("/jobs/j/", progress_record={"p": 2})
    seen = normalise.sent_in_background([first, last], polled=False)
    assert seen == normalise.sent_in_background([last], polled=False)
    assert seen != normalise.sent_in_background([first], polled=False)
