"""How a job looks in Jaeger: what its query API answers, and what docs/jaeger.md draws from it.

`pytest --snapshot-update tests/jaeger` writes the expected texts anew; a reader of the difference judges it.
"""

from __future__ import annotations

import re

import pytest

from synapse_otel import semconv
from tests.jaeger.conftest import LIVE, Jobs
from tests.jaeger.normal import as_text, normal
from tools.docs.jaeger_jobs import KINDS, search, title
from tools.docs.trace_tree import rows
from tools.docs.traces import PICTURES, Picture, drawn
from tools.docs.waterfall import duration
from tools.stack.fetch import get_json

pytestmark = pytest.mark.stack

OPERATIONS = {
    "train cats",
    "load",
    "check",
    "train",
    "publish",
    "convert",
    "worker convert",
    "rollback train",
    "rollback load",
}
SLOW = {"convert", "worker convert"}
"""They start a new Python, and have markers where that takes long."""
_TEXT = re.compile(r"<text[^>]*>(.*?)</text>")
_DURATION = re.compile(r"\d+(?:\.\d+)?(?:μs|ms|s)")


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_that_has_ended(jobs: Jobs, kind: str, snapshot):
    assert as_text(jobs.ended[kind]) == snapshot


@pytest.mark.parametrize("kind", ["good", "distributed"])
def test_a_job_that_runs(jobs: Jobs, kind: str, snapshot):
    assert as_text(jobs.running[kind]) == snapshot


@pytest.mark.parametrize("kind", KINDS)
def test_jaeger_warns_of_nothing_when_a_job_has_ended(jobs: Jobs, kind: str):
    trace = jobs.ended[kind]
    assert [warning for row in rows(trace) for warning in row.warnings] == []
    assert len({span["spanID"] for span in trace["spans"]}) == len(trace["spans"])
    assert not any(row.orphan for row in rows(trace))


def test_a_job_is_listed_by_its_name_and_as_started_while_it_runs(jobs: Jobs):
    assert {title(trace) for trace in jobs.ended.values()} == {"train cats"}
    assert {title(trace) for trace in jobs.running.values()} == {"train cats (started)"}
    found = search(jobs.jaeger, service=LIVE, operation="train cats (started)")
    assert {title(trace) for trace in found} == {"train cats (started)"}
    assert len(found) == len(jobs.running)


def test_what_is_inside_of_a_span_is_inside_of_its_time(jobs: Jobs):
    for trace in jobs.ended.values():
        found = rows(trace)
        whole = found[0]
        for row in found:
            assert row.begin >= whole.begin
            assert row.begin + row.duration <= whole.begin + whole.duration + 1, row.name
            for event in row.events:
                assert row.begin - 1 <= event.microseconds <= row.begin + row.duration + 1, (row.name, event)


def test_each_worker_is_a_process_of_its_own(jobs: Jobs):
    trace = jobs.ended["distributed"]
    spans = [span for span in trace["spans"] if span["operationName"] == "worker convert"]
    tags = [{tag["key"]: tag["value"] for tag in trace["processes"][span["processID"]]["tags"]} for span in spans]
    assert len({each["process.pid"] for each in tags}) == len(spans) == 2
    for each in tags:
        assert {"host.name", semconv.SERVICE_INSTANCE_ID} <= each.keys()
        assert each[semconv.SERVICE_VERSION] == "1.2.0"


def test_operations_are_few(jobs: Jobs):
    found = get_json(f"{jobs.jaeger}/api/operations", [("service", "cats")])["data"]
    may_be = {f"{name}{semconv.MARKER_SUFFIX}" for name in SLOW}
    assert {each["name"] for each in found} - may_be == OPERATIONS | {f"train cats{semconv.MARKER_SUFFIX}"}
    assert {each["spanKind"] for each in found} == {"internal"}


def test_jaegers_newer_interface_tells_the_same(jobs: Jobs):
    trace = jobs.ended["failed"]
    answer = get_json(f"{jobs.jaeger}/api/v3/traces/{trace['traceID']}")["result"]
    spans = [span for part in answer["resourceSpans"] for scope in part["scopeSpans"] for span in scope["spans"]]
    assert {(span["spanId"], span["name"]) for span in spans} == {
        (span["spanID"], span["operationName"]) for span in trace["spans"]
    }
    failed = {span["name"] for span in spans if span["status"].get("code") == 2}
    assert failed == {row.name for row in rows(trace) if row.failed} == {"train cats", "train"}


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.path.stem)
def test_the_pictures_of_the_docs_show_what_jaeger_answers_now(jobs: Jobs, picture: Picture):
    trace = jobs.running[picture.kind] if picture.when == "running" else jobs.ended[picture.kind]
    shown = texts(drawn(picture, trace))
    assert texts(picture.path.read_text(encoding="utf-8")) == shown, "`python -m tools.docs traces` draws them anew"


def texts(svg: str) -> set[str]:
    """Return what is written in a picture, without times; how far a bar reaches decides where one stands, if at all."""
    return {normal(_DURATION.sub("T", text)) for text in _TEXT.findall(svg)}


@pytest.mark.parametrize(("microseconds", "said"), [(0, "0μs"), (999, "999μs"), (1_500, "1.5ms"), (2_345_678, "2.35s")])
def test_durations_are_written_as_jaeger_does(microseconds: int, said: str):
    assert duration(microseconds) == said
