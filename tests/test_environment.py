"""What a process that is started from a job is told by its environment, and what it makes of it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry import baggage, trace
from opentelemetry import context as otel_context

import synapse_otel
from synapse_otel.plugins.context import RuntimeContext
from synapse_otel.plugins.steps import BaseStepContext
from synapse_otel.settings import as_variables, load_settings

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def parent_of(variables):
    """Return the trace id and span id of a child's parent."""
    assert variables["SYNAPSE_OTEL_TRACEPARENT"] == variables["TRACEPARENT"]
    _version, trace_id, span_id, _flags = variables["TRACEPARENT"].split("-")
    return trace_id, span_id


def ids(span):
    context = span.get_span_context()
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def test_of_a_job_of_its_step_and_of_a_span_in_it(synapse_job):
    root = synapse_job.job.root
    assert parent_of(synapse_otel.child_environment()) == ids(root.span)
    step = root.begin_step("load", order=1, weight=1)
    with step.activated():
        for ctx in (None, synapse_job.ctx, BaseStepContext(synapse_job.ctx)):
            assert parent_of(synapse_otel.child_environment(ctx)) == ids(step.span)
        with trace.get_tracer("host").start_as_current_span("query") as span:
            assert parent_of(synapse_otel.child_environment(synapse_job.ctx)) == ids(span)
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(synapse_otel.child_environment, synapse_job.ctx).result()
    told = json.loads(found["SYNAPSE_OTEL_JOB"])
    assert (told["job_id"], told["step"]) == (synapse_job.job.id, "load"), "the step begun last, as for records"
    step.end()


def test_a_context_tells_of_its_own_job_wherever_it_is_asked(synapse_job):
    with synapse_otel.job("export", plugin="coco", job_id="other") as other:
        for ctx, job_id in ((synapse_job.ctx, synapse_job.job.id), (other, "other"), (None, "other")):
            told = synapse_otel.child_environment(ctx)
            assert json.loads(told["SYNAPSE_OTEL_JOB"])["job_id"] == job_id
        assert parent_of(synapse_otel.child_environment(synapse_job.ctx)) == ids(synapse_job.job.root.span)


def test_what_is_no_context():
    with pytest.raises(TypeError, match="ctx must be a RuntimeContext or the context of a step, not 'job-1'"):
        synapse_otel.child_environment("job-1")


def test_without_a_job_it_passes_on_what_it_was_given(monkeypatch):
    assert not any("TRACE" in name or name.endswith("_JOB") for name in synapse_otel.child_environment())
    monkeypatch.setenv("TRACEPARENT", TRACE)
    monkeypatch.setenv("SYNAPSE_OTEL_JOB", "{}")
    found = synapse_otel.child_environment(RuntimeContext())
    assert found["TRACEPARENT"] == found["SYNAPSE_OTEL_TRACEPARENT"] == TRACE
    assert found["SYNAPSE_OTEL_JOB"] == "{}"


def test_a_trace_state_from_before_does_not_go_with_another_trace(synapse_job, monkeypatch):
    assert "TRACESTATE" not in synapse_otel.child_environment()
    monkeypatch.setenv("TRACESTATE", "a=b")
    found = synapse_otel.child_environment()
    assert (found["TRACESTATE"], found["SYNAPSE_OTEL_TRACESTATE"]) == ("", "")


def test_what_other_propagators_add_is_named_as_variables_are(synapse_job):
    token = otel_context.attach(baggage.set_baggage("tenant", "acme"))
    try:
        assert synapse_otel.child_environment()["BAGGAGE"] == "tenant=acme"
    finally:
        otel_context.detach(token)


def test_settings_say_the_same_in_the_child(monkeypatch, tmp_path):
    given = {
        "journal_dir": tmp_path,
        "journal_budget": 64 << 20,
        "journal_keep": True,
        "exit_timeout": 0.5,
        "redact_keys": ("pin", "iban"),
        "sdk_disabled": True,
        "metric_export_interval": 250,
        "endpoint": "http://c:1",
        "headers": {"x-key": "a b,c=d", "tenant": "t%"},
        "log_level": "off",
    }
    here = load_settings(**given, traceparent=TRACE, watched_by="token")
    assert "SYNAPSE_OTEL_HEADERS" not in as_variables(here, headers=False)
    variables = as_variables(here, headers=True)
    assert not {"TRACEPARENT", "SYNAPSE_OTEL_WATCHED_BY"} & set(variables)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    there = load_settings()
    assert {name: getattr(there, name) for name in given} == {name: getattr(here, name) for name in given}


def test_opentelemetrys_variables_go_along_and_credentials_only_if_asked_for(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:1/v1/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "key=secret")
    monkeypatch.setenv("SYNAPSE_OTEL_HEADERS", "key=secret")
    found = synapse_otel.child_environment()
    assert found["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] == "http://c:1/v1/traces"
    assert "secret" not in str(found)
    found = synapse_otel.child_environment(headers=True)
    assert found["OTEL_EXPORTER_OTLP_TRACES_HEADERS"] == found["SYNAPSE_OTEL_HEADERS"] == "key=secret"
