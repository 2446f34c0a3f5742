"""Each endpoint, by really sending something there and hearing what comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Final

from synapse_otel.doctor.advice import advice
from synapse_otel.doctor.finding import Finding, Level
from synapse_otel.notices import Check
from synapse_otel.otlp.destination import Destination, Endpoint, shown_url
from synapse_otel.otlp.outcome import Accepted, Outcome
from synapse_otel.otlp.probe import probe, server_date
from synapse_otel.otlp.senders import open_sender
from synapse_otel.semconv.signal import Signal

_SKEW_SECONDS: Final = 5.0
"""Seconds that clocks may differ: a date in HTTP has no fractions, and answers take their time."""


def endpoints(destination: Destination) -> Iterator[Finding]:
    """Yield what became of a probe of each signal, and whether the servers' clocks go as ours does."""
    asked: set[str] = set()
    for signal in Signal:
        endpoint = destination.endpoint(signal)
        finding, reached = _sent(destination, signal)
        yield finding
        if reached and endpoint.protocol == "http/protobuf" and endpoint.url.rpartition("/v1/")[0] not in asked:
            asked.add(endpoint.url.rpartition("/v1/")[0])
            yield from _clock(endpoint)


def _sent(destination: Destination, signal: Signal) -> tuple[Finding, bool]:
    endpoint = destination.endpoint(signal)
    with closing(open_sender(destination, signal)) as sender:
        begin = time.monotonic()
        outcome = sender.send(probe(signal))
    seconds = time.monotonic() - begin
    url = shown_url(endpoint.url)
    facts = {"url": url, "protocol": endpoint.protocol, "seconds": round(seconds, 4), "outcome": _name(outcome)}
    found = partial(Finding, check=Check.ENDPOINT, about=signal.name.lower(), facts=facts)
    if not isinstance(outcome, Accepted):
        text = f"{url}: {outcome.reason}"
        what = advice(outcome, endpoint, signal)
        return found(level=Level.FAILURE, text=text, advice=what), "answered" in outcome.reason
    if outcome.rejected:
        text = f"{url}: accepted, but the record was rejected ({outcome.message or 'no reason given'})"
        level, what = Level.FAILURE, "the server's message says why; such records are counted as dropped"
    elif outcome.message:
        text, level, what = f"{url}: accepted, with a warning: {outcome.message}", Level.WARNING, ""
    else:
        text, level, what = f"{url}: accepted in {seconds * 1e3:.0f} ms", Level.OK, ""
    return found(level=level, text=text, advice=what), True


def _clock(endpoint: Endpoint) -> Iterator[Finding]:
    """Compare the date of an answer with our own time."""
    before = time.time()
    date = server_date(endpoint)
    after = time.time()
    if date is None:
        return  # nothing to compare with; the probe has told what there is to tell
    # Its clock showed the date, or up to a second more, at some time between.
    skew = max(before - date - 1, date - after, 0.0)
    found = partial(Finding, check=Check.ENDPOINT, about="clock", facts={"skew_seconds": round(skew, 3)})
    if skew > _SKEW_SECONDS:
        ahead = "ahead of" if date < before else "behind"
        text = f"this machine's clock is {skew:,.0f} s {ahead} the server's: the times of records will be off"
        yield found(level=Level.WARNING, text=text, advice="synchronise the clocks with NTP")
    else:
        yield found(level=Level.OK, text="agrees with the server's, within a few seconds")


def _name(outcome: Outcome) -> str:
    return type(outcome).__name__.lower()
