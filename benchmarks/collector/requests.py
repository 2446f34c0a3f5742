"""Requests of simulated jobs: encoded once by the library's own encoder, then stamped anew for each time they are sent.

A stamp is the time of every record and the second half of every ``log.record.uid``. The first log record of a request
also says when it was sent, in its body, which a far side reads to tell how long it was under way.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Sequence
from struct import Struct as Packing
from typing import Any, Final

from synapse_otel import semconv
from synapse_otel.journal.frames import Log, Scope, Span, reference
from synapse_otel.otlp.encode.logs import log_record
from synapse_otel.otlp.encode.metrics import gauge_points, metric, sum_point
from synapse_otel.otlp.encode.request import Group, record_field, request
from synapse_otel.otlp.encode.spans import span
from synapse_otel.otlp.encode.values import resource, scope

SENT: Final = b"sent at "
"""Stands in a body before 16 hexadecimal digits, the Unix time in ns at which the request was sent."""

_TIME: Final = 0x5AFE_C0DE_0DDB_A115
"""Stands for the time while a request is encoded; all times have eight bytes."""
_DIGITS: Final = b"5afec0de0ddba115"
_PACK_TIME: Final = Packing("<Q").pack_into
_SCOPE: Final = scope(Scope(0, semconv.SCOPE_NAME, "1.0.0"))
_INFO: Final = 9


class Request:
    """A whole HTTP request, and where it is stamped."""

    __slots__ = ("_sent", "_times", "_uids", "bytes", "is_logs", "records")

    def __init__(self, path: str, body: bytes, records: int, *, headers: str = "") -> None:
        """Make the request ready; `records` counts log records, data points or spans."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: agent\r\nContent-Type: application/x-protobuf\r\n"
            f"Content-Length: {len(body)}\r\n{headers}\r\n"
        )
        self.bytes = bytearray(head.encode() + body)
        self.is_logs = path.endswith("/logs")
        self.records = records
        self._times = _places(self.bytes, _TIME.to_bytes(8, "little"))
        digits = _places(self.bytes, _DIGITS)
        self._sent = [at for at in digits if self.bytes[at - len(SENT) : at] == SENT]
        self._uids = [at for at in digits if at not in self._sent]

    def stamp(self, number: int) -> None:
        """Give it the time that it is, and uids that no request of another `number` has."""
        raw, now = self.bytes, time.time_ns()
        for at in self._times:
            _PACK_TIME(raw, at, now)
        digits = b"%016x" % number
        for at in self._uids:
            raw[at : at + 16] = digits
        for at in self._sent:
            raw[at : at + 16] = b"%016x" % now


class SimulatedJob:
    """A job on a node: its resource, and the requests that its shipper makes."""

    def __init__(self, number: int, *, tenant: str = "", headers: str = "") -> None:
        chance = random.Random(number)
        action = ("train", "export", "upload", "inference")[number % 4]
        plugin = f"plugin-{number % 50}"
        self.number = number
        self._headers = headers
        self._journal = f"{number:016x}"
        self._resource = resource(
            {
                semconv.SERVICE_NAME: plugin,
                semconv.SERVICE_VERSION: "1.2.0",
                semconv.SERVICE_NAMESPACE: "synapse",
                semconv.SERVICE_INSTANCE_ID: f"{chance.getrandbits(128):032x}",
                "host.name": f"node-{number % 200}",
                "process.pid": 1000 + number,
                "telemetry.sdk.language": "python",
                **({semconv.TENANT: tenant} if tenant else {}),
            }
        )
        self._job: dict[str, Any] = {
            semconv.JOB_ID: f"job-{number:08x}",
            semconv.ACTION: action,
            semconv.PLUGIN_NAME: plugin,
        }
        self._trace = chance.getrandbits(128)
        self._span = chance.getrandbits(64)

    def logs(self, records: int) -> Request:
        """Return a request of log records of about 200 bytes, the resource not counted."""
        where = reference(self._trace, self._span, 1)
        encoded = []
        for number in range(records):
            body = (SENT + _DIGITS).decode() if not number else f"{number} of {records} images are exported"
            log = Log(
                _TIME, _INFO, "info", semconv.EVENT_MESSAGE, body, {semconv.JOB_ID: self._job[semconv.JOB_ID]}, where, 0
            )
            encoded.append(log_record(log, f"{self._journal}{_DIGITS.decode()}-{number:x}"))
        return self._request("/v1/logs", encoded, records)

    def metrics(self, samples: int) -> Request:
        """Return a request of progress, a counter, and this many samples of a training curve."""
        curve = {**self._job, semconv.METRIC_NAME: "loss", semconv.CATEGORY: "train"}
        progress = {**self._job, semconv.CATEGORY: "train"}
        encoded = [
            _metric(semconv.JOB_PROGRESS, [gauge_points(progress, [(_TIME, 0.5)])]),
            _metric(semconv.JOB_PROGRESS_CURRENT, [gauge_points(progress, [(_TIME, 50.0)])]),
            _metric(semconv.JOB_PROGRESS_LIMIT, [gauge_points(progress, [(_TIME, 100.0)])]),
            _metric(semconv.JOB_HEARTBEAT_TIME, [gauge_points(self._job, [(_TIME, time.time())])]),
            _metric(semconv.JOB_ITEMS, [sum_point(progress, _TIME, _TIME, 50)]),
        ]
        points = len(encoded) + samples
        if samples:
            encoded.append(_metric(semconv.JOB_METRIC, [gauge_points(curve, [(_TIME, 0.25)] * samples)]))
        return self._request("/v1/metrics", encoded, points)

    def spans(self, count: int) -> Request:
        """Return a request of steps' spans."""
        encoded = [
            span(
                Span(
                    scope=0,
                    trace_id=self._trace.to_bytes(16, "big"),
                    span_id=(self._span + 1 + number & (1 << 64) - 1).to_bytes(8, "big"),
                    parent_id=self._span.to_bytes(8, "big"),
                    flags=1,
                    trace_state="",
                    name=f"step {number}",
                    kind=1,
                    start=_TIME,
                    end=_TIME,
                    attributes={**self._job, semconv.STEP_NAME: f"step {number}", semconv.STEP_ORDER: number},
                )
            )
            for number in range(count)
        ]
        return self._request("/v1/traces", encoded, count)

    def _request(self, path: str, encoded: Sequence[bytes], records: int) -> Request:
        body = request(self._resource, [Group(_SCOPE, list(map(record_field, encoded)))])
        return Request(path, body, records, headers=self._headers)


def _metric(of: semconv.Metric, points: Iterable[bytes]) -> bytes:
    return metric(of.instrument, of.name, of.unit, of.description, points)


def _places(raw: bytes | bytearray, what: bytes) -> list[int]:
    found, at = [], raw.find(what)
    while at >= 0:
        found.append(at)
        at = raw.find(what, at + len(what))
    return found
