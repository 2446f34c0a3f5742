"""The result of `verify` as a file for the textfile collector of Prometheus' node_exporter."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from synapse_otel import semconv
from synapse_otel.semconv.prometheus import label, series
from synapse_otel.verify.report import RunReport, total

_OUTCOMES = ("found", "missing", "different", "double", "unverified")


def write_textfile(path: Path, reports: Iterable[RunReport], now: float) -> None:
    """Replace a file by one with these results; ``now`` is Unix time in seconds.

    Raises:
        OSError: it cannot be written.
    """
    reports = list(reports)
    lines = [*_head(semconv.VERIFY_RECORDS)]
    for signal, report in total(reports).all():
        counts = {name: getattr(report, name) for name in _OUTCOMES} | {"kept_away": sum(report.kept_away.values())}
        for outcome, count in counts.items():
            lines.append(_line(semconv.VERIFY_RECORDS, count, {semconv.SIGNAL: signal, semconv.OUTCOME: outcome}))
    lines += _head(semconv.VERIFY_RUNS)
    runs = {
        "complete": sum(one.good and one.verified for one in reports),
        "incomplete": sum(not one.good for one in reports),
        "unverified": sum(one.good and not one.verified for one in reports),
    }
    lines += [_line(semconv.VERIFY_RUNS, count, {semconv.OUTCOME: outcome}) for outcome, count in runs.items()]
    lines += [*_head(semconv.VERIFY_TIME), _line(semconv.VERIFY_TIME, now, {})]
    making = path.with_name(f"{path.name}.new")
    making.write_text("\n".join(lines) + "\n", encoding="utf-8")
    making.chmod(0o644)  # node_exporter is another user
    making.replace(path)


def _head(metric: semconv.Metric) -> list[str]:
    (name,) = series(metric)
    return [f"# HELP {name} {metric.description}", f"# TYPE {name} gauge"]


def _line(metric: semconv.Metric, value: float, attributes: dict[str, str]) -> str:
    (name,) = series(metric)
    pairs = ",".join(f'{label(key)}="{text}"' for key, text in attributes.items())
    return f"{name}{{{pairs}}} {value:.17g}" if pairs else f"{name} {value:.17g}"
