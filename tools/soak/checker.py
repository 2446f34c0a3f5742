"""Whether a job that was killed arrived whole: what its calls had returned from, against what came in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from synapse_otel.journal.cursor import Cursor, read_cursor
from synapse_otel.semconv.signal import Signal
from tools.soak.receiver import Arrived, attributes_of, value_of
from tools.soak.told import Told

_MERGED = "merged into a newer sample"


@dataclass(frozen=True, slots=True)
class Found:
    """What a check has found."""

    acknowledged: int
    """Records whose call had returned."""
    lost: int
    """Of these, how many did not arrive."""
    duplicates: int
    """Log records that arrived again, under the same uid."""
    wrong: list[str]
    """What is not as it must be, a line each; losses too."""


def check(told: Told, arrived: Arrived, folder: Path | None, error_type: str) -> Found:
    """Check one job.

    Args:
        told: what its calls had returned from.
        arrived: what came in.
        folder: its journal; None if it was killed before there was one.
        error_type: what must be said of its end.
    """
    if folder is None:
        wrong = ["there is no journal, though calls had returned"] if told.begun else []
        return Found(told.records, told.records, 0, wrong)
    uids = [attributes_of(record).get("log.record.uid", "") for record in arrived.logs]
    losses = {**_missing_records(told, arrived), **_missing_samples(told, arrived)}
    wrong = [f"{count} {what} lost" for what, count in losses.items() if count]
    wrong += [*_wrong_uids(arrived), *_wrong_progress(told, arrived), *_wrong_account(arrived, folder)]
    if told.begun:
        wrong += _wrong_end(arrived, error_type)
    return Found(told.records, sum(losses.values()), len(uids) - len(set(uids)), wrong)


def _missing_records(told: Told, arrived: Arrived) -> dict[str, int]:
    bodies = {" ".join(record.body.string_value.split(" ", 2)[:2]) for record in arrived.logs}  # without their padding
    numbers = {attributes_of(record).get("synapse.data.number") for record in arrived.logs}
    return {"messages": len(set(told.messages) - bodies), "events": len(set(told.events) - numbers)}


def _missing_samples(told: Told, arrived: Arrived) -> dict[str, int]:
    """Count the samples that are missing; one that was merged into a newer one, which is counted, is no loss."""
    values = {
        value_of(point)
        for name, attributes, point in arrived.points
        if name == "synapse.job.metric" and attributes.get("synapse.metric.name") == "count"
    }
    merged = arrived.last("synapse.job.metric.merged") or 0
    return {"samples": max(len(set(told.samples) - values) - int(merged), 0)}


def _wrong_uids(arrived: Arrived) -> Iterator[str]:
    contents: dict[str, bytes] = {}
    for record in arrived.logs:
        uid, content = str(attributes_of(record).get("log.record.uid", "")), record.SerializeToString()
        if not uid:
            yield f"a record without a uid: {record.event_name}"
        elif contents.setdefault(uid, content) != content:
            yield f"two records of one uid, {uid}"
    if len(set(contents.values())) < len(contents):
        yield "a record was sent twice under two uids"


def _wrong_progress(told: Told, arrived: Arrived) -> Iterator[str]:
    if told.progress:
        last = arrived.last("synapse.job.progress.current", synapse_category="train")
        # The call that the kill came into may have got through.
        if last not in {told.progress, told.progress + 1}:
            yield f"progress {last}, not {told.progress}"


def _wrong_end(arrived: Arrived, error_type: str) -> Iterator[str]:
    contents: dict[bytes, set[bytes]] = {}
    for span in arrived.spans:
        contents.setdefault(span.span_id, set()).add(span.SerializeToString())
    if any(len(found) > 1 for found in contents.values()):
        yield "one span id with two contents"
    jobs = {span.span_id: span for span in arrived.spans if span.name == "soak soak"}
    if len(jobs) != 1:
        yield f"{len(jobs)} spans of the job"
    for span in arrived.spans:
        attributes = attributes_of(span)
        if "synapse.span.marker" in attributes:
            continue
        result = attributes.get("synapse.job.result", attributes.get("synapse.step.result"))
        if (result, attributes.get("error.type"), span.status.code) != ("error", error_type, 2):
            yield f"span {span.name} ends as {result}, {attributes.get('error.type')}"
        if span.end_time_unix_nano < span.start_time_unix_nano:
            yield f"span {span.name} ends before it begins"
    ends = {attributes_of(record)["log.record.uid"] for record in arrived.logs if record.event_name == _FINISHED}
    if len(ends) != 1:
        yield f"{len(ends)} events {_FINISHED}"
    if arrived.last("synapse.job.active") != 0:
        yield f"synapse.job.active is {arrived.last('synapse.job.active')} at the end"


_FINISHED = "synapse.job.finished"


def _wrong_account(arrived: Arrived, folder: Path) -> Iterator[str]:
    """Yield what contradicts ``emitted = delivered + pending + dropped``; nothing is pending at the end."""
    cursors = {signal: read_cursor(folder, signal) for signal in Signal}
    for signal, cursor in cursors.items():
        if not cursor.complete:
            yield f"{signal.name.lower()}: not all of it is delivered ({cursor.failure or 'no failure'})"
        elif cursor.delivered + sum(cursor.dropped.values()) != cursor.sequence:
            yield f"{signal.name.lower()}: {_account(cursor)}"
        if set(cursor.dropped) - {_MERGED}:
            yield f"{signal.name.lower()}: dropped {cursor.dropped}"
    journal = {uid.partition("-")[0] for uid in (attributes_of(one).get("log.record.uid", "") for one in arrived.logs)}
    if len(journal) > 1:
        yield f"records of {len(journal)} journals"


def _account(cursor: Cursor) -> str:
    dropped = sum(cursor.dropped.values())
    return f"emitted {cursor.sequence}, delivered {cursor.delivered}, dropped {dropped}, pending 0"
