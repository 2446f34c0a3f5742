"""The pipeline of log records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from synapse_otel import semconv
from synapse_otel.journal.frames import Brief, Job, Log, Segment, Template, Templates, bare_frame
from synapse_otel.journal.reader import LOG_KINDS, Chunk, Frame
from synapse_otel.otlp.encode.brief_logs import BriefEncoder, EncodedRun
from synapse_otel.otlp.encode.logs import log_record
from synapse_otel.redaction import redact_text, redact_values
from synapse_otel.semconv.severity import Severity
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.pipelines.base import SignalPipeline
from synapse_otel.shipper.pipelines.queue import Batch, Item, Run

_FAILED = "log records are encoded one by one, as it fails together"


class LogsPipeline(SignalPipeline):
    """Log records: each is encoded as soon as it is read."""

    signal = Signal.LOGS

    def __init__(self, folder: Path) -> None:
        self._templates = Templates()
        self._brief = BriefEncoder()
        super().__init__(folder)

    def define(self, structure: Any) -> None:
        """Add a template of brief records, or set the journal that their uids begin with."""
        if isinstance(structure, Template):
            self._templates.take(structure)
            self._brief.take(structure)
        elif isinstance(structure, Segment):
            self._brief.journal = structure.journal

    def _take_all(self, batch: Batch, found: Chunk) -> None:
        """Take brief records in runs: nearly all records are brief."""
        skip_to = self._skip_to
        replayed = skip_to.offset - found.start if found.segment == skip_to.segment else 0
        data, place = found.data, 0
        while place < found.size:
            made = self._run(found, place, replayed)
            if made is None:
                frame = found.frame(*bare_frame(data, place, found.start))
                self._take(batch, frame)
                place = frame.after.offset - found.start
            else:
                scope, fields, count, place = made
                batch.add([Run(scope, fields, count, "", self._brief.journal, self._expected)])
                batch.size += len(fields)
                self._expected += count
        batch.after = found.after
        self.replaying = batch.after <= skip_to
        last = next((one for one in reversed(found.bare) if one[0] in LOG_KINDS), None)
        if last is not None:
            self.definitions.last_log = found.frame(*last)

    def _run(self, found: Chunk, place: int, replayed: int) -> EncodedRun | None:
        """Encode frames from a place on; None if this one has to go the long way, as it has where encoding fails."""
        try:
            return self._brief.run(found.data, place, found.size, self._expected, replayed)
        except Exception as error:  # noqa: BLE001 - a fault of the compiled module must not hold up a journal
            said = f"{_FAILED}: {type(error).__name__}: {error}"
            if said not in self.cursor.warnings:
                self.cursor.warnings.append(said)
            return None

    def take(self, frame: Frame, structure: Log | Brief) -> list[Item]:
        """Encode a record."""
        log = self._templates.whole(structure) if isinstance(structure, Brief) else structure
        if log is None:
            msg = "the record's template is damaged"
            raise ValueError(msg)
        uid = self.definitions.uid(frame.sequence)
        return [Item(log.scope, log_record(redacted(log), uid), frame.count, uid)]

    def closing(self, *, killed: bool) -> list[Item]:
        """Report every job that its process left open as killed."""
        return [self._killed(job) for job in self.definitions.own_jobs()] if killed else []

    def _killed(self, job: Job) -> Item:
        end = max(self.definitions.time_of_death(), job.start)
        death = self.definitions.death()
        attributes: dict[str, Any] = {
            **job.attributes,
            semconv.CATEGORY: job.category,
            semconv.JOB_RESULT: semconv.RESULT_ERROR,
            semconv.ERROR_TYPE: death.error_type,
        }
        log = Log(
            time=end + 1,  # after the last record that the process made, also where a backend sorts by time
            severity=Severity.ERROR,
            severity_text="ERROR",
            event_name=semconv.EVENT_JOB_FINISHED,
            body=death.told(job.start, end),
            attributes=attributes,
            span=job.span,
            scope=job.scope,
        )
        uid = f"{self.definitions.uid(0)}-killed-{job.key.hex()}"
        return Item(job.scope, log_record(log, uid), 0, uid)


def redacted(log: Log) -> Log:
    """Return a record with credentials redacted from its texts."""
    if log.event_name:
        log.event_name = redact_text(log.event_name)
    body = log.body
    if isinstance(body, str):
        log.body = redact_text(body)
    elif body is not None:
        log.body = redact_values(body)
    for key, value in log.attributes.items():
        if type(value) is str:
            clean = redact_text(value)
            if clean is not value:
                log.attributes[key] = clean
        elif isinstance(value, list | dict):
            log.attributes[key] = redact_values(value)
    return log
