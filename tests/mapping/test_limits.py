"""Floods of distinct names: what came first keeps its own name, what came too late is kept together and counted."""

from __future__ import annotations

import pytest
from opentelemetry import trace

from synapse_otel import semconv
from synapse_otel._otel_private import get_logger_provider
from synapse_otel.journal.reader import read_all
from synapse_otel.mapping.job_records import CATEGORY_LIMIT, EVENT_NAME_LIMIT
from synapse_otel.mapping.metric_series import SERIES_LIMIT
from synapse_otel.sdk.oversize import RECORD_LIMIT
from tests.mapping.test_templates import folder_of

pytestmark = pytest.mark.once

FLOOD = 5_000


def test_a_flood_of_categories(synapse_job):
    ctx = synapse_job.ctx
    for number in range(FLOOD):
        ctx.set_progress(number, FLOOD, f"category-{number}")
        ctx.set_metrics({"loss": float(number)}, f"category-{number}")
    ctx.set_progress(7, 9, "category-0")
    progress = synapse_job.progress
    assert len(progress) == CATEGORY_LIMIT + 1
    assert (progress["category-0"].current, progress["category-0"].limit) == (7, 9)
    assert progress[semconv.OTHER].current == FLOOD - 1
    assert synapse_job.samples("loss", "category-1") == [1.0]
    assert len(synapse_job.samples("loss", semconv.OTHER)) == FLOOD - CATEGORY_LIMIT
    (warning,) = synapse_job.messages
    assert f"'category-{CATEGORY_LIMIT}'" in warning.body


def test_a_flood_of_metric_names(synapse_job):
    for number in range(FLOOD):
        synapse_job.ctx.set_metrics({f"metric-{number}": float(number)}, "train")
    synapse_job.ctx.set_metrics({"metric-0": 7.0}, "train")
    assert synapse_job.samples("metric-0", "train") == [0.0, 7.0]
    assert synapse_job.samples(semconv.OTHER, "train") == [float(number) for number in range(SERIES_LIMIT, FLOOD)]


def test_a_flood_of_event_names(synapse_job):
    for number in range(FLOOD):
        synapse_job.ctx.log(f"event-{number}")
    synapse_job.ctx.log("event-0")
    counts = synapse_job.job.event_counts
    assert len(counts) == EVENT_NAME_LIMIT
    assert counts["event-0"].value() == 2
    assert (
        sum(counter.value() for counter in {id(c): c for c in (*counts.values(), counts["new"])}.values()) == FLOOD + 1
    )
    assert [event.event_name for event in synapse_job.events] == [f"event-{number}" for number in range(FLOOD)] + [
        "event-0"
    ]


SIZES = {
    "body": {"body": "x" * (20 << 20)},
    "attribute": {"attributes": {"a": "x" * (20 << 20), "b": 1}},
    "attributes": {"attributes": {f"key-{number}": "x" * 1_000 for number in range(20_000)}},
    "nested": {"body": {"a": ["x" * 10_000] * 5_000}},
}


@pytest.mark.parametrize("name", SIZES)
def test_a_record_of_another_logger_that_is_too_large_is_cut_and_says_so(synapse_job, name):
    get_logger_provider().get_logger("other").emit(timestamp=1, event_name="large", **SIZES[name])
    (found,) = [log for log in synapse_job.log_records if log.event_name == "large"]
    assert "[cut: " in repr((found.body, found.attributes))
    assert len(repr((found.body, found.attributes))) < RECORD_LIMIT + 1_000


def test_a_span_that_is_too_large_is_cut_and_says_so(synapse_job):
    span = trace.get_tracer("other").start_span("large", attributes={"a": "x" * (20 << 20)})
    span.end()
    (found,) = [span for span in synapse_job.spans if span.name == "large"] or [synapse_job.span("large")]
    assert found.attributes["a"].endswith(f"[cut: {20 << 20} characters]")


def test_a_span_whose_events_are_too_large_arrives_without_them(synapse_job):
    span = trace.get_tracer("other").start_span("large", attributes={"a": 1})
    for number in range(100):
        span.add_event(f"event-{number}", {"text": "x" * 100_000})
    span.end()
    (frame,) = [found for _frame, found in read_all(folder_of(synapse_job)) if getattr(found, "name", "") == "large"][
        -1:
    ]
    assert (frame.attributes, frame.events, frame.dropped_events) == ({"a": 1}, [], 100)
