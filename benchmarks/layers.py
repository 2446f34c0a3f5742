"""What a call is made of: each layer called directly, against the floor of an empty Python call and a copy."""

from __future__ import annotations

import mmap
import timeit
from collections.abc import Callable
from time import time_ns
from typing import Any

from xxhash import xxh3_64_intdigest as checksum

from benchmarks.calls import DATA
from benchmarks.processes import place
from benchmarks.report import Table

REPEAT, NUMBER = 7, 20_000
Layers = list[tuple[str, Callable[[], object]]]


def layers() -> Table:
    """Return the table of layers."""
    with place("http://127.0.0.1:9", SYNAPSE_OTEL_SHIPPER="off", SYNAPSE_OTEL_JOURNAL_BUDGET="64MiB") as here:
        found = here.run("layers")["groups"]
    rows = []
    for group in found:
        for number, (what, cost) in enumerate(group):
            rows.append((what, f"{cost:.2f}", f"{cost - group[number - 1][1]:+.2f}" if number else ""))
    head = ("what", "µs", "more than the row before, µs")
    notes = (
        "Each row but the first of a group calls what the row before calls, and does its own share. The floor is "
        "what a Python function that copies the same bytes into mapped memory costs. Best of "
        f"{REPEAT} times {NUMBER:,} calls in one process."
    )
    return Table("layers", "What a call is made of", head, rows, notes)


def measured(ctx: Any) -> list[list[tuple[str, float]]]:
    """Return each layer and its cost in us, by group; to be called in a job's process, with its context."""
    return [[(what, _cost(call)) for what, call in group] for group in (_floor(), _log(ctx), _progress(ctx))]


def _cost(call: Callable[[], object]) -> float:
    return min(timeit.repeat(call, repeat=REPEAT, number=NUMBER)) / NUMBER * 1e6


def _floor() -> Layers:
    """Return the floor: what nothing written in Python can be cheaper than."""
    memory = mmap.mmap(-1, 1 << 20)
    data = bytes(160)

    def nothing(event: str, data: dict[str, Any]) -> None: ...

    def copy() -> None:
        memory[64:224] = data

    return [
        ("an empty Python call with two arguments", lambda: nothing("checkpoint", DATA)),
        ("a call that copies 160 bytes into mapped memory", copy),
        ("... and looks at the clock", lambda: (copy(), time_ns())),
        ("... and builds the checksum of the bytes", lambda: (copy(), time_ns(), checksum(data, 1))),
    ]


def _log(ctx: Any) -> Layers:
    from synapse_otel._otel_private import SeverityNumber
    from synapse_otel.journal import frames
    from synapse_otel.journal.frames import Kind
    from synapse_otel.semconv.signal import Signal

    scope, logger = ctx.scope, ctx.logger
    own = ctx.job.emit.__self__  # layers that are not public, from here on
    append = own._recorder.append  # noqa: SLF001
    template = own.template(scope.context, SeverityNumber.INFO, "INFO", "checkpoint", {"synapse.job.id": "job-1"}, "")
    fields = (time_ns(), template.number, None, DATA)
    payload = frames.encode(fields)
    kind, signal = int(Kind.BRIEF), int(Signal.LOGS)
    return [
        ("journal: `append`, which is header, checksum and copy", lambda: append(kind, signal, payload, 1)),
        ("... and the record encoded by msgspec", lambda: append(kind, signal, frames.encode(fields), 1)),
        ("recorder: a record of a template, keys judged, clock", lambda: template.append(time_ns(), None, DATA)),
        ("signals: checks, span event, counter", lambda: scope.event("checkpoint", DATA)),
        ("plugins: the logger and its view", lambda: logger.log("info", "checkpoint", DATA)),
        ("`ctx.log`", lambda: ctx.log("checkpoint", DATA)),
    ]


def _progress(ctx: Any) -> Layers:
    scope, logger = ctx.scope, ctx.logger
    slot = scope._progress_slot("training")  # noqa: SLF001 - a layer that is not public
    return [
        ("journal: a progress slot, which is checksum and copy", lambda: slot.set(5, 10, 1)),
        ("signals: checks, clock", lambda: scope.progress(5, 10, "training")),
        ("plugins: the logger and its view", lambda: logger.set_progress(5, 10, "training")),
        ("`ctx.set_progress`", lambda: ctx.set_progress(5, 10, "training")),
    ]
