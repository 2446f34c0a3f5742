"""The dashboard Pipeline health: from the runs' journals through agent and gateway into the backends."""

from __future__ import annotations

from collections.abc import Callable

from grafana_foundation_sdk.models.dashboard import Dashboard

from synapse_otel import semconv
from tools.grafana import collectors, looks, names, panels
from tools.grafana.boards import Section, board
from tools.grafana.collectors import EXPORTER, OURS, QUEUE_SIGNAL, TIER
from tools.grafana.links import PIPELINE
from tools.grafana.log_store import LogStore
from tools.grafana.queries import RANGE, RATE, grown, labelled, or_none, rate, series, shown, total
from tools.grafana.sources import Query, at_the_end, over_time

RECORDS_A_SECOND = "suffix: records/s"
EXPORTED = {
    "logs": semconv.SDK_LOG_EXPORTED,
    "metrics": semconv.SDK_POINT_EXPORTED,
    "traces": semconv.SDK_SPAN_EXPORTED,
}
DELIVERED = f'{names.ERROR}=""'
DROPPED = f'{names.ERROR}!~"|merged"'
"""Samples that were merged are no loss: their series had more than one in a millisecond."""
SIGNAL = shown(names.SIGNAL)


def dashboard(store: LogStore) -> Dashboard:
    """Return the dashboard."""
    return board(
        PIPELINE,
        "Synapse: pipeline health",
        "Whether what jobs record arrives: the runs' own account, the agents, the gateway, and each backend.",
        [],
        [_whole(store), _runs(), _tiers(), _backends(store)],
        since="now-1h",
        refresh="30s",
    )


def _lines(expression: Callable[[str], str], legend: str) -> list[Query]:
    """Return a query for each signal."""
    return [
        over_time(expression(signal), legend.format(signal=signal), ref)
        for signal, ref in zip(collectors.RECORDS, "ABC", strict=True)
    ]


def _lost() -> str:
    return total(names.ERROR, _of_each(lambda signal: grown(series(names.name(EXPORTED[signal]), DROPPED))))


def _of_each(expression: Callable[[str], str]) -> str:
    """Return the series of all signals together."""
    return " or ".join(labelled(expression(signal), names.SIGNAL, signal) for signal in collectors.RECORDS)


def _none(label: str) -> str:
    """Return 0 under the name of none, for where there is nothing to tell."""
    return labelled("vector(0)", label, "none")


def _whole(store: LogStore) -> Section:
    given_up = _of_each(lambda signal: _failed(signal, EXPORTER))
    alerts = series(names.ALERTS, f'{names.ALERT}=~"Synapse.+"', names.FIRING)
    up = series(collectors.UP, OURS)
    waiting = series(names.name(semconv.SHIPPER_PENDING))
    age = series(names.name(semconv.SHIPPER_QUEUE_AGE))
    return "At a glance", [
        panels.number(
            "Collectors that answer",
            "Share of the agents and gateways that Prometheus reaches. Below all of them: start the one that is down; "
            "jobs keep their records meanwhile.",
            at_the_end(f"avg({up})"),
            unit="percentunit",
            steps=((None, looks.RED), (1, looks.GREEN)),
            none="none is asked",
        ),
        panels.number(
            "Records waiting",
            "In the journals of runs that tell of themselves. A number that only grows: see Oldest waiting record.",
            at_the_end(total("", waiting)),
        ),
        panels.number(
            "Oldest waits for",
            "Longest time that a record of a run has waited. From five minutes on an alert fires: look whether the "
            "agent answers, and what it refuses.",
            at_the_end(f"max({age})"),
            unit="s",
            steps=((None, looks.GREEN), (60, looks.ORANGE), (300, looks.RED)),
            none="none waits",
        ),
        panels.number(
            "Records lost",
            "Records of runs that were given up within the time range, by the runs' own account. Any is too many: "
            "Why records were lost says what happened.",
            at_the_end(or_none(total("", _lost()))),
            steps=((None, looks.GREEN), (1, looks.RED)),
        ),
        panels.number(
            "Refused by a backend for good",
            "Records that a Collector had to give up within the time range, because a backend called them invalid, and "
            "what the log store left out of what it took.",
            at_the_end(total("", f"{given_up} or {_left_out(store)}" if store.dropped else given_up)),
            steps=((None, looks.GREEN), (1, looks.RED)),
        ),
        panels.gauges(
            "Alerts that fire",
            "Of the rules in collector/alerts/. docs/runbook.md has a section for each: what it means, what to do.",
            [at_the_end(f"count by ({names.ALERT}) ({alerts}) or on () {_none(names.ALERT)}", shown(names.ALERT))],
            steps=((None, looks.GREEN), (1, looks.RED)),
        )
        .decimals(0)
        .span(4)
        .height(4),
    ]


def _runs() -> Section:
    emitted = rate(names.SIGNAL, series(names.name(semconv.SHIPPER_EMITTED)))
    accepted = series(names.buckets(semconv.SDK_EXPORT_DURATION))
    by = names.COMPONENT
    return "Runs: what the library says of its delivery", [
        panels.curves(
            "Recorded",
            "Records that runs write into their journals, by signal.",
            [over_time(emitted, SIGNAL)],
            unit=RECORDS_A_SECOND,
        ),
        panels.curves(
            "Delivered",
            "Records that their server has accepted. Below what is recorded for long: the rest waits on the machines.",
            _lines(lambda signal: rate("", series(names.name(EXPORTED[signal]), DELIVERED)), "{signal}"),
            unit=RECORDS_A_SECOND,
        ),
        panels.curves(
            "Waiting",
            "Records in the journals. A hill is an outage that was bridged; a plain is one that lasts.",
            [over_time(total(names.SIGNAL, series(names.name(semconv.SHIPPER_PENDING))), SIGNAL)],
        ),
        panels.limit(
            panels.curves(
                "Oldest waiting record",
                "Of all runs. Seconds are normal; from five minutes on SynapseDeliveryLate fires.",
                [
                    over_time(
                        f"max by ({names.SIGNAL}) ({series(names.name(semconv.SHIPPER_QUEUE_AGE))})",
                        SIGNAL,
                    )
                ],
                unit="s",
            ),
            (None, looks.GREEN),
            (300, looks.RED),
        ),
        panels.curves(
            "Requests that were not accepted",
            "They are made again. Many: the agent is away, refuses (its memory or queue is full), or asks to wait.",
            [over_time(rate(names.SIGNAL, series(names.name(semconv.SHIPPER_RETRIES))), SIGNAL)],
            unit="reqps",
        ),
        panels.curves(
            "Time until a request is accepted",
            "Nine of ten requests, from the first try on, waits included. Growth is an agent or a network that slows.",
            [
                over_time(
                    f"histogram_quantile(0.9, {rate(f'le, {by}', accepted)})",
                    shown(by),
                )
            ],
            unit="s",
        ),
        panels.gauges(
            "Why records were lost",
            "By the run's account, within the time range: evicted (the disk budget was full), invalid or rejected (the "
            "server would not have them), poison (the server failed on this one), unreadable (a damaged file).",
            [at_the_end(f"{_lost()} or on () {_none(names.ERROR)}", shown(names.ERROR))],
            steps=((None, looks.GREEN), (1, looks.RED)),
        ).decimals(0),
        panels.curves(
            "Sent",
            "Bytes of the accepted requests, before compression: what the network and the agents carry.",
            [over_time(rate(names.SIGNAL, series(names.name(semconv.SHIPPER_SENT))), SIGNAL)],
            unit="Bps",
        ),
    ]


def _tiers() -> Section:
    size, capacity = (series(name, OURS) for name in (collectors.QUEUE_SIZE, collectors.QUEUE_CAPACITY))
    tier = shown(TIER)
    return "Agents and gateway", [
        panels.curves(
            "Taken in",
            "Records that a tier has accepted. The agents' sum and the gateway's are the same but for a moment.",
            _lines(lambda signal: rate(TIER, series(collectors.accepted(signal), OURS)), tier + " {signal}"),
            unit=RECORDS_A_SECOND,
        ),
        panels.curves(
            "Refused",
            "Records that a tier has sent back; their sender keeps them and tries again. Lasting: the tier is at its "
            "memory limit, or a queue is full, see there.",
            _lines(lambda signal: rate(TIER, series(collectors.refused(signal), OURS)), tier + " {signal}"),
            unit=RECORDS_A_SECOND,
        ),
        panels.limit(
            panels.curves(
                "Fullest queue",
                "Share of the queue on the disk that is used, of the fullest one of a tier. Above half an alert fires: "
                "the backend behind it is away or too slow, see Queues.",
                [over_time(f"max by ({TIER}) ({size} / {capacity})", tier)],
                unit="percentunit",
            ).max(1),
            (None, looks.GREEN),
            (0.5, looks.ORANGE),
            (0.9, looks.RED),
        ),
        panels.curves(
            "Memory",
            "Of each Collector. At its limit it refuses what comes: give it more, or add another.",
            [over_time(series(collectors.MEMORY, OURS), tier + " {{instance}}")],
            unit="bytes",
        ),
        panels.curves(
            "Processor",
            "Cores that each Collector uses.",
            [over_time(f"rate({series(collectors.PROCESSOR_SECONDS, OURS)}[{RATE}])", tier + " {{instance}}")],
            unit="suffix: cores",
        ),
        panels.curves(
            "Restarts",
            "How often a Collector has restarted within the time range. More than once is a crash or too little "
            "memory: read its log.",
            [over_time(f"sum by ({TIER}) (resets({series(collectors.UPTIME, OURS)}[{RANGE}]))", tier)],
        ).decimals(0),
    ]


def _failed(signal: str, by: str) -> str:
    """Return what was given up in the time range: 0 where the Collector has no such series yet."""
    none = f"0 * {total(by, series(collectors.sent(signal), OURS))}"
    return f"({total(by, grown(series(collectors.failed(signal), OURS)))} or {none})"


def _left_out(store: LogStore) -> str:
    """Return what the log store took and then left out in the time range, by the reason."""
    return total(collectors.REASON, grown(series(store.dropped)))


def _refused(store: LogStore) -> list[Query]:
    refused = [
        at_the_end(_failed(signal, EXPORTER), f"{shown(EXPORTER)} {signal}", ref)
        for signal, ref in zip(collectors.RECORDS, "ABC", strict=True)
    ]
    if store.dropped:
        refused.append(at_the_end(_left_out(store), f"left out by {store.title}: {shown(collectors.REASON)}", "D"))
    return refused


def _backends(store: LogStore) -> Section:
    gateway = f'{TIER}="gateway"'
    size, capacity = (series(name, OURS, gateway) for name in (collectors.QUEUE_SIZE, collectors.QUEUE_CAPACITY))
    exporter = shown(EXPORTER)
    unstorable = series(collectors.sent("metrics"), OURS, f'{EXPORTER}="{collectors.UNSTORABLE}"')
    return "Backends, as the gateway sees them", [
        panels.curves(
            "Delivered to each backend",
            "Records that a backend has accepted: logs to the log store, samples to Prometheus, spans to Jaeger, and "
            "what the routes send elsewhere. One that falls to zero alone is away.",
            _lines(
                lambda signal: f"{rate(EXPORTER, series(collectors.sent(signal), OURS, gateway))}",
                exporter + " {signal}",
            ),
            unit=RECORDS_A_SECOND,
        ),
        panels.gauges(
            "Queues",
            "How full the queue before each backend is. One that fills: that backend is away or too slow; the others "
            "are not held up by it.",
            [
                at_the_end(
                    f"sort_desc(max by ({EXPORTER}, {QUEUE_SIGNAL}) ({size} / {capacity}))",
                    f"{exporter} {shown(QUEUE_SIGNAL)}",
                )
            ],
            unit="percentunit",
            steps=((None, looks.GREEN), (0.5, looks.ORANGE), (0.9, looks.RED)),
        ).max(1),
        panels.gauges(
            "Refused for good",
            "Records that a backend called invalid within the time range; they are lost to it. The gateway's log has "
            "the answer of the backend; what the log store took and then left out, its own log has.",
            _refused(store),
            steps=((None, looks.GREEN), (1, looks.RED)),
        ).decimals(0),
        panels.curves(
            "Samples that Prometheus would refuse",
            "Too old or too far ahead for it: the gateway keeps them out of its requests. A job's clock is wrong, or "
            "a journal was delivered after more than a week.",
            [over_time(f"sum({rate('', unstorable)} or vector(0))", "samples")],
            unit="suffix: samples/s",
        ),
    ]
