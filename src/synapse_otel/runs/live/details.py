"""The details of one run, without its curves and log records, as plain values for JSON."""

from __future__ import annotations

from collections.abc import Container, Iterable
from time import time_ns
from typing import Final

from synapse_otel import semconv
from synapse_otel.journal.folder import QUARANTINE_FILE
from synapse_otel.redaction import redact_text
from synapse_otel.runs import LogKind, Overview, Role, RunState, Span, run_usage, shown_workers
from synapse_otel.runs.gone import gone_notes, removed
from synapse_otel.runs.live.entry import Json, exit_of, finite, job_of, milliseconds, plain, plain_path, progress_of
from synapse_otel.runs.live.filters import counts_of
from synapse_otel.runs.live.followed_run import FollowedRun
from synapse_otel.runs.live.index import IndexedRun
from synapse_otel.runs.live.samples import X_METRICS, Samples
from synapse_otel.semconv.severity import Severity

SPANS: Final = 3_000
"""Spans that are shown at most: of more, those of jobs and steps come first, then what failed or is open."""
SERIES: Final = 2_000
"""Metrics that are shown at most; a job records no more (`SERIES_LIMIT` of the mapping)."""
_NONFINITE: Final = 500
_LAST_WORDS: Final = 4
_LOOKED_AT: Final = 200
_KINDS: Final = list(LogKind)
_TO_USERS: Final = frozenset({LogKind.MESSAGE, LogKind.EVENT})


def details(one: IndexedRun, found: FollowedRun, *, jaeger_url: str | None = None) -> Json:
    """Return the details for the page of a run; ``jaeger_url`` is the base address of Jaeger's web page, for links."""
    overview = one.overview
    spans = found.spans
    lives = overview is not None and overview.state.lives
    known_last = max(found.last_time, overview.last if overview else 0)
    shown, left_out = _shown(spans.values())
    begins = [span.start for span in spans.values() if span.role is not Role.MARKER]
    return {
        "row": one.row,
        "now": milliseconds(time_ns()),
        "begin": milliseconds(min(begins, default=0)) or (one.row or {}).get("start"),
        "last": milliseconds(known_last),
        "lives": lives,
        "spans": shown,
        "spans_left_out": left_out,
        "series": _series(found),
        "metric_texts": found.metric_texts.latest(),
        "usage": _usage(found),
        "logs": counts_of(found.logs) | {"errors": found.errors},
        "exceptions": [_exception(found, at) for at in found.exceptions],
        "last_words": _last_words(found) if overview is not None and overview.state is RunState.CRASHED else [],
        "nonfinite": [mark for at in found.nonfinite[:_NONFINITE] for mark in _marks(found, at)],
        "resource": plain(found.resource),
        "removed": removed(found.missing, overview.account) if overview is not None else 0,
        **_overviewed(overview, jaeger_url),
        "notes": [*(one.row or {}).get("notes", []), *_notes(found, overview)],
    }


def _overviewed(overview: Overview | None, jaeger_url: str | None) -> Json:
    if overview is None:
        return {"jobs": [], "progress": [], "signals": {}, "exit": None, "folders": [], "jaeger": None}
    return {
        "jobs": [job_of(job) for job in overview.jobs],
        "progress": [progress_of(each) for one in overview.progress for each in (one, *shown_workers(one))],
        "signals": {
            signal: {
                "emitted": account.emitted,
                "delivered": account.delivered,
                "pending": account.pending,
                "dropped": account.dropped,
                "attempts": account.attempts,
                "failure": redact_text(account.failure),
            }
            for signal, account in overview.by_signal.items()
        },
        "exit": exit_of(overview.exit),
        "folders": [plain_path(folder) for folder in overview.folders],
        "jaeger": jaeger_url,
    }


def _notes(found: FollowedRun, overview: Overview | None) -> Iterable[str]:
    size, places = found.damage
    if places:
        yield f"{size:,} bytes of the journal are damaged and skipped ({places:,} places)"
    if overview is not None:
        yield from gone_notes(found.missing, overview.account)
    if found.unreadable:
        yield f"{found.unreadable:,} records could not be read: damaged, or written by a newer synapse-otel"
    if found.foreign_metrics:
        yield f"{found.foreign_metrics:,} collections of metrics of other instrumentations are not shown here"
    for folder in found.folders:
        if (folder / QUARANTINE_FILE).is_file():
            yield f"the receiver rejected some records as invalid; see {plain_path(folder / QUARANTINE_FILE)}"


# --- spans --------------------------------------------------------------------------------------------


def _shown(found: Iterable[Span]) -> tuple[list[Json], int]:
    """Return the spans in the order in which they are drawn, each before its children, and how many are left out."""
    spans = sorted((span for span in found if span.role is not Role.MARKER), key=lambda span: span.start)
    whole = len(spans)
    if whole > SPANS:
        spans = sorted(sorted(spans, key=lambda span: span.rank)[:SPANS], key=lambda span: span.start)
    known = {span.span_id for span in spans}
    below: dict[str, list[Span]] = {}
    for span in spans:
        below.setdefault(span.parent_id if span.parent_id in known else "", []).append(span)
    drawn: list[Json] = []
    todo = [(0, span) for span in reversed(below.get("", []))]
    seen: set[str] = set()
    while todo:
        depth, span = todo.pop()
        if span.span_id in seen:
            continue  # a damaged journal may say that a span is its own parent
        seen.add(span.span_id)
        drawn.append(_span(span, depth))
        todo += [(depth + 1, child) for child in reversed(below.get(span.span_id, []))]
    return drawn, whole - len(drawn)


def _span(span: Span, depth: int) -> Json:
    return {
        "id": span.span_id,
        "trace": span.trace_id,
        "parent": span.parent_id,
        "depth": depth,
        "name": redact_text(span.name),
        "role": str(span.role),
        "start": milliseconds(span.start),
        "end": None if span.end is None else milliseconds(span.end),
        "failed": span.failed,
        "skipped": span.skipped,
        "result": span.result,
        "error": span.error,
        "attributes": plain(span.attributes),
        "params": plain(span.params),
        "products": {} if span.role is Role.OTHER else plain(span.products),
        "links": [link.span_id for link in span.links],
        "events": len(span.events),
    }


# --- metrics and exceptions ---------------------------------------------------------------------------


def _series(found: FollowedRun) -> list[Json]:
    """Return the plugin's own metrics; the spans have the durations and activity of jobs and steps.

    ``along`` names those of `X_METRICS` that were reported in the same calls, the best horizontal axis first.
    """
    whole = found.series
    axes = metrics_named(whole, X_METRICS)
    told = [
        series.told(number) | {"along": along_of(series, axes.get(series.category, {}))}
        for number, series in enumerate(whole)
        if len(series) and series.name == semconv.JOB_METRIC.name
    ]
    return [{key: finite(value) if isinstance(value, float) else value for key, value in one.items()} for one in told][
        :SERIES
    ]


def metrics_named(series: Iterable[Samples], names: Container[str]) -> dict[str, dict[str, Samples]]:
    """Return the plugin's metrics of some names, by category and name."""
    found: dict[str, dict[str, Samples]] = {}
    for one in series:
        if one.metric in names and len(one) and one.name == semconv.JOB_METRIC.name:
            found.setdefault(one.category, {})[one.metric] = one
    return found


def along_of(series: Samples, axes: dict[str, Samples]) -> list[str]:
    """Return which of the axes were reported in the same calls as a series; none for an axis itself."""
    if series.metric in X_METRICS:
        return []
    return [name for name in X_METRICS if name in axes and series.is_along(axes[name])]


def _usage(found: FollowedRun) -> Json:
    """Return the resource usage of the run's processes, as curves and numbers."""
    used = run_usage(found.folders)
    return {
        "charts": [
            {
                "name": chart.name,
                "unit": chart.unit,
                "limit": chart.limit,
                "lines": [
                    {
                        "label": line.label,
                        "t": [milliseconds(time) for time in line.times],
                        "v": [float(f"{value:.6g}") for value in line.values],
                    }
                    for line in chart.lines
                ],
            }
            for chart in used.charts
        ],
        "totals": [one._asdict() for one in used.totals],
        "gpus_by": used.gpus_by,
        "oom_killed": used.oom_killed,
    }


def _exception(found: FollowedRun, at: int) -> Json:
    attributes = found.logs.attributes(at)
    told = found.logs.told(at)
    return {
        "n": at,
        "time": told["time"],
        "type": str(attributes.get(semconv.EXCEPTION_TYPE, "")),
        "message": str(attributes.get(semconv.EXCEPTION_MESSAGE, "")),
        "stack": str(attributes.get(semconv.EXCEPTION_STACKTRACE, "")),
        "category": told["category"],
        "span": told["span"],
    }


def _last_words(found: FollowedRun) -> list[Json]:
    """Return the last messages and warnings of a killed run, which may show why it ended."""
    logs, places = found.logs, []
    for at in range(len(logs) - 1, max(len(logs) - _LOOKED_AT, 0) - 1, -1):
        kind = _KINDS[logs.kinds[at]]
        if kind in _TO_USERS or (logs.severities[at] >= Severity.WARN and kind is not LogKind.LIFE):
            places.append(at)
            if len(places) == _LAST_WORDS:
                break
    return [logs.told(at) for at in reversed(places)]


def _marks(found: FollowedRun, at: int) -> Iterable[Json]:
    """Return the values that were no numbers: they are marked on their curves."""
    told = found.logs.told(at)
    for name, value in told["data"].items():
        yield {"time": told["time"], "category": told["category"], "name": name, "value": str(value)}
