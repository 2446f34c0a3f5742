"""A probe of an endpoint: one log record, one metric point or one span, marked as such; and the server's clock."""

from __future__ import annotations

import os
import secrets
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from time import time_ns
from typing import Final

import urllib3

from synapse_otel import semconv
from synapse_otel._version import __version__
from synapse_otel.journal.frames import Log, Scope, Span
from synapse_otel.otlp.destination import Endpoint
from synapse_otel.otlp.encode import values
from synapse_otel.otlp.encode.logs import log_record
from synapse_otel.otlp.encode.metrics import gauge_points, metric
from synapse_otel.otlp.encode.request import Group, record_field, request
from synapse_otel.otlp.encode.spans import span
from synapse_otel.otlp.http_pool import open_pool
from synapse_otel.semconv.severity import Severity
from synapse_otel.semconv.signal import Signal

_INTERNAL: Final = 1
"""Kind of a span, as OTLP has it."""
SERVICE: Final = "synapse-otel-doctor"
"""The ``service.name`` of a probe, to find it by."""


def probe(signal: Signal) -> bytes:
    """Return an export request with one record."""
    now = time_ns()
    uid = f"{os.getpid()}-{secrets.token_hex(4)}"
    resource = values.resource({semconv.SERVICE_NAME: SERVICE, semconv.SERVICE_INSTANCE_ID: uid})
    scope = values.scope(Scope(0, semconv.SCOPE_NAME, __version__))
    return request(resource, [Group(scope, [record_field(_record(signal, now, uid))])])


def _record(signal: Signal, now: int, uid: str) -> bytes:
    if signal == Signal.LOGS:
        text = "synapse-otel doctor was here"
        return log_record(Log(now, Severity.INFO, "INFO", semconv.PROBE, text, {}, b"", 0), uid)
    if signal == Signal.METRICS:
        return metric("gauge", semconv.PROBE, "1", "", [gauge_points({}, [(now, 1.0)])])
    ids = secrets.token_bytes(16), secrets.token_bytes(8)
    return span(Span(*ids, b"", 0, "", semconv.PROBE, _INTERNAL, now, now, {}, 0))


def server_date(endpoint: Endpoint) -> float | None:
    """Return the Unix time in whole seconds that a server of HTTP writes on an answer; None where none comes."""
    timeout = urllib3.Timeout(total=endpoint.timeout_seconds)
    try:
        with open_pool(endpoint) as pool:
            answer = pool.request("GET", endpoint.url, redirect=False, retries=False, timeout=timeout)
            return parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError, KeyError):
        return None
