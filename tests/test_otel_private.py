"""Each thing of OpenTelemetry that we use and that is not public, or is documented nowhere: it is still there.

A failure here after an update says what to look at; nothing else in the tree reaches into OpenTelemetry's insides.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry.metrics import _internal
from opentelemetry.sdk.trace import TracerProvider

from synapse_otel import _otel_private
from synapse_otel.testing.fixed import CLOCKS, Ids

PACKAGE = Path(_otel_private.__file__).parent


@pytest.mark.parametrize("name", [name for name in _otel_private.__all__ if hasattr(_logs, name)])
def test_the_logs_api_is_where_we_take_it_from(name):
    assert getattr(_otel_private, name) is getattr(_logs, name)


def test_the_whole_logs_api_is_taken_from_the_private_module():
    taken = {name for name in _otel_private.__all__ if hasattr(_logs, name)}
    assert taken == {
        "LogRecord",
        "Logger",
        "LoggerProvider",
        "NoOpLogger",
        "SeverityNumber",
        "get_logger_provider",
        "set_logger_provider",
    }


@pytest.mark.parametrize(
    ("signal", "module", "name"),
    [
        ("traces", trace, "ProxyTracerProvider"),
        ("metrics", _internal, "_ProxyMeterProvider"),
        ("logs", _logs._internal, "ProxyLoggerProvider"),
    ],
)
def test_a_provider_that_is_not_set_is_told_by_its_proxy(signal, module, name):
    assert isinstance(getattr(module, name), type)
    assert _otel_private._PROXIES[signal] == name


@pytest.mark.parametrize("name", _otel_private._PROXIES.values())
def test_a_hosts_provider_with_the_name_of_a_proxy_is_set(name):
    """As Logfire's are: `tests/test_distributions.py` has the real ones."""
    assert not _otel_private._is_proxy(type(name, (), {}), name)


def test_which_providers_are_set_is_told_one_by_one():
    script = """
from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from synapse_otel._otel_private import unset_providers
assert unset_providers() == {"traces", "metrics", "logs"}
trace.get_tracer("asked for early"); metrics.get_meter("asked for early")
assert unset_providers() == {"traces", "metrics", "logs"}
trace.set_tracer_provider(TracerProvider())
assert unset_providers() == {"metrics", "logs"}
metrics.set_meter_provider(MeterProvider())
assert unset_providers() == {"logs"}
set_logger_provider(LoggerProvider())
assert unset_providers() == set()
"""
    subprocess.run([sys.executable, "-c", script], check=True, env={"PYTHONPATH": str(PACKAGE.parent)})


def test_the_synchronous_gauge_is_still_private():
    assert _otel_private.Gauge is metrics._Gauge
    assert not hasattr(metrics, "Gauge"), "the API has a public Gauge now: _otel_private.py can take that"


def test_the_api_hands_out_the_sdks_gauge_for_our_own_use():
    from opentelemetry.sdk.metrics import MeterProvider

    gauge = MeterProvider(shutdown_on_exit=False).get_meter("test").create_gauge("g")
    assert isinstance(gauge, metrics._Gauge)
    assert not hasattr(gauge, "bind"), (
        "OpenTelemetry's gauge can bind now: mapping/instruments.py would take it for ours"
    )
    assert not hasattr(gauge, "set_many")


def test_the_sdks_logger_is_no_logger_that_appends():
    from opentelemetry.sdk._logs import LoggerProvider

    assert not hasattr(LoggerProvider(shutdown_on_exit=False).get_logger("test"), "append")


@pytest.mark.parametrize("module", CLOCKS)
def test_a_fixed_clock_can_be_put_where_times_are_taken(module):
    assert callable(import_module(module).time_ns)


def test_an_id_generator_of_our_own_is_taken_as_it_is():
    ids = Ids()
    tracer = TracerProvider(id_generator=ids, shutdown_on_exit=False).get_tracer("test")
    with ids.fixed():
        spans = [tracer.start_span("one").get_span_context(), tracer.start_span("other").get_span_context()]
    assert [(span.trace_id, span.span_id) for span in spans] == [(1, 1), (2, 2)]
    free = tracer.start_span("free").get_span_context()
    assert free.trace_id > 1 << 64
    assert free.trace_flags & 0x02, "W3C's random flag"


def private_imports(path):
    """Yield what a file imports of OpenTelemetry whose name says that it is private."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("opentelemetry"):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("opentelemetry")]
        else:
            continue
        yield from (name for name in names if any(part.startswith("_") for part in name.split(".")))


def private_attributes(path):
    """Yield what a file takes out of OpenTelemetry's modules by a private name."""
    for node in ast.walk(ast.parse(path.read_text())):
        is_private = isinstance(node, ast.Attribute) and re.match("_[^_]", node.attr)
        if is_private and isinstance(node.value, ast.Name) and node.value.id in {"api", "metrics", "trace"}:
            yield f"{node.value.id}.{node.attr}"


@pytest.mark.once  # about the tree
def test_what_is_private_is_taken_in_the_seam_only():
    imported = {
        (path.relative_to(PACKAGE).as_posix(), name) for path in PACKAGE.rglob("*.py") for name in private_imports(path)
    }
    logs = {
        ("_otel_private.py", f"opentelemetry._logs.{name}") for name in _otel_private.__all__ if hasattr(_logs, name)
    }
    assert imported == logs | {("_otel_private.py", "opentelemetry.metrics._Gauge")}
    assert [(path.name, name) for path in PACKAGE.rglob("*.py") for name in private_attributes(path)] == []


def test_a_tracer_of_the_sdk_says_whether_it_begins_spans():
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("scope")
    assert _otel_private.asks_whether_enabled(tracer)() is True
