"""Asks the backends for what a run recorded, and reports the difference."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from synapse_otel import semconv
from synapse_otel.semconv.signal import Signal
from synapse_otel.settings import Settings, variables_of
from synapse_otel.shipper.pipelines.metrics import MERGED
from synapse_otel.verify.backends.client import BackendError, Client
from synapse_otel.verify.backends.jaeger import look_up_spans
from synapse_otel.verify.backends.log_store import look_up_logs
from synapse_otel.verify.backends.prometheus import look_up_last, look_up_samples
from synapse_otel.verify.expected import Expected
from synapse_otel.verify.report import RunReport, SignalReport, Signals
from synapse_otel.verify.samples import Key, SeriesSamples

ROUTED: Final = "kept away by the route of tenant {}"
TOO_FAR_AHEAD: Final = "from a clock that was ahead: the backend does not take times that far in the future"
BEFORE_1970: Final = "from a clock that was before 1970: the backend does not take such times"
SAME_MILLISECOND: Final = "in the same millisecond as another sample of the series"
_LOGS_AHEAD: Final = 2 * 86_400.0
"""Seconds ahead of its clock up to which VictoriaLogs takes a record."""
_SAMPLES_AHEAD: Final = 9 * 60.0
"""The same of samples: `routing/age` in collector/routes.yaml sends later ones to no backend."""


@dataclass(frozen=True, slots=True)
class Backends:
    """The servers to ask, and the rules by which records do not go there."""

    logs: Client
    prometheus: Client
    jaeger: Client
    routed_tenants: Collection[str] = ()
    """Tenants whose records a route takes to other sinks."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return those of the settings."""

        def client(name: str, setting: str) -> Client:
            url = getattr(settings, setting) or JAEGER_URL
            return Client(name, url, variables_of(setting)[-1], settings.verify_timeout)

        return cls(
            client("the log store", "verify_logs_url"),
            client("Prometheus", "verify_prometheus_url"),
            client("Jaeger", "jaeger_url"),
            settings.verify_routed_tenants,
        )


JAEGER_URL: Final = "http://127.0.0.1:16686"
"""Where Jaeger is, if no setting says so."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A run that was verified."""

    report: RunReport
    expected: Expected
    missing_progress: Collection[Key] = ()


def verify_run(folders: list[Path], backends: Backends) -> Verified:
    """Read a run's journals, ask the backends and return what is there and what is not.

    A backend that cannot be asked is an error in the report, and keeps none of the others from being asked.

    Raises:
        OSError: a journal cannot be read.
    """
    expected = Expected.read(folders)
    report = RunReport(
        run=folders[0].name,
        signals=Signals(),
        pending=sum(expected.pending.values()),
        settled=expected.settled,
        dropped=expected.dropped,
        alive=expected.alive,
    )
    signals = report.signals
    if (tenant := str(expected.resource.get(semconv.TENANT, ""))) in backends.routed_tenants:
        _keep_all_away(expected, signals, ROUTED.format(tenant))
        return Verified(report, expected)
    missing: list[Key] = []
    parts: list[tuple[SignalReport, Callable[[], object]]] = [
        (signals.logs, lambda: _verify_logs(expected, backends.logs, signals.logs)),
        (signals.samples, lambda: _verify_samples(expected, backends.prometheus, signals.samples)),
        (signals.progress, lambda: missing.extend(_verify_last(expected, backends.prometheus, signals.progress))),
        (signals.spans, lambda: _verify_spans(expected, backends.jaeger, signals.spans)),
    ]
    for part, verify in parts:
        try:
            verify()
        except BackendError as error:
            part.error = str(error)
    return Verified(report, expected, missing)


def _keep_all_away(expected: Expected, signals: Signals, reason: str) -> None:
    counts = {
        "logs": sum(one.expected for one in expected.logs),
        "samples": sum(one.expected for one in expected.series.values()),
        "progress": len(expected.progress),
        "spans": sum(len(one.spans) for one in expected.traces.values()),
    }
    for name, part in signals.all():
        part.expected = counts[name]
        part.keep_away(reason, counts[name])


# --- each signal ------------------------------------------------------------------------------------------


def _verify_logs(expected: Expected, client: Client, report: SignalReport) -> None:
    report.unverified = gone = expected.gone.get(Signal.LOGS, 0)
    report.expected = sum(one.expected for one in expected.logs)
    ahead = (time.time() + _LOGS_AHEAD) * 1e9
    for logs in expected.logs:
        look_up_logs(client, logs)
        report.found += logs.found - len(logs.different)
        report.double += logs.double
        report.different += len(logs.different) + (0 if gone else logs.strange)
        for uid in logs.doubles():
            report.show("double", uid)
        for uid, difference in sorted(logs.different.items()):
            report.show("different", f"{uid}: {difference}")
        for uid, when in logs.missing():
            if when > ahead:
                report.keep_away(TOO_FAR_AHEAD, 1)
            else:
                report.missing += 1
                report.show("missing", f"{uid} of {_shown(when)}")


def _verify_samples(expected: Expected, client: Client, report: SignalReport) -> None:
    report.unverified = gone = expected.gone.get(Signal.METRICS, 0)
    every = list(expected.series.values())
    report.expected = sum(one.expected for one in every)
    look_up_samples(client, every)
    ahead = (time.time() + _SAMPLES_AHEAD) * 1e3
    for samples in every:
        report.found += samples.found
        report.double += samples.double
        report.keep_away(SAME_MILLISECOND, samples.shared)
        for when, value in samples.missing():
            if when > ahead or when <= 0:
                report.keep_away(TOO_FAR_AHEAD if when > 0 else BEFORE_1970, 1)
            else:
                report.missing += 1
                report.show("missing", _sample(samples, when, value))
        for when, value in samples.different():
            report.different += 1
            report.show("different", _sample(samples, when, value))
        for when in () if gone else samples.strange:
            report.different += 1
            report.show("different", f"{samples.key} of {_shown(when * 1_000_000)} was never recorded")
    unmatched = sum(one.unmatched for one in every)
    merged = min(unmatched, expected.merged)
    report.keep_away(MERGED, merged)
    report.missing += unmatched - merged
    if unmatched > merged:
        first = next(one for one in every if one.unmatched)
        report.show("missing", f"{unmatched - merged:,} samples of bursts such as in {first.key}")


def _verify_last(expected: Expected, client: Client, report: SignalReport) -> list[Key]:
    """Return the series that are missing."""
    report.expected = len(expected.progress)
    found = look_up_last(client, list(expected.progress), expected.begun, time.time() + 60)
    missing = []
    for key, last in expected.progress.items():
        if key not in found and last.time <= 0:
            report.keep_away(BEFORE_1970, 1)
        elif key not in found:
            missing.append(key)
            report.missing += 1
            report.show("missing", str(key))
        elif found[key] != last.value:
            report.different += 1
            report.show("different", f"{key}: {found[key]:g} instead of {last.value:g}")
        else:
            report.found += 1
    return missing


def _verify_spans(expected: Expected, client: Client, report: SignalReport) -> None:
    report.unverified = expected.gone.get(Signal.TRACES, 0)
    for trace in expected.traces.values():
        report.expected += len(trace.spans)
        look_up_spans(client, trace)
        report.found += trace.found - len(trace.different)
        report.missing += len(trace.missing)
        report.different += len(trace.different)
        report.double += len(trace.doubles)
        for kind, ids in (("missing", trace.missing), ("double", trace.doubles)):
            for span_id in ids:
                report.show(kind, f"{span_id} {trace.names[span_id]}")
        for span_id, difference in trace.different.items():
            report.show("different", f"{span_id} {trace.names[span_id]}: {difference}")


def _sample(samples: SeriesSamples, when: int, value: float) -> str:
    return f"{samples.key} of {_shown(when * 1_000_000)}: {value!r}"


def _shown(nanoseconds: int) -> str:
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09}Z"
    except (ValueError, OverflowError):
        return f"{nanoseconds} ns"
