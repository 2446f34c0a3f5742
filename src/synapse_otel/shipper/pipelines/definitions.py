"""What a journal defines, as far as it was read: what its records refer to, and which jobs and spans are open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from synapse_otel.journal.folder import read_exit, read_slots
from synapse_otel.journal.frames import Brief, End, Job, Kind, Log, Samples, Scope, Segment, Span
from synapse_otel.journal.reader import Frame
from synapse_otel.journal.usage import read_usage
from synapse_otel.otlp.encode import values as encode_values
from synapse_otel.otlp.encode.request import Group, request
from synapse_otel.semconv.progress import Progress
from synapse_otel.shipper.pipelines.open_spans import Death


class JournalDefinitions:
    """A journal's resource, scopes, open jobs and open spans, and when its process was last at work."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.segment: Segment | None = None
        self.scopes: dict[int, Scope] = {}
        self.open_spans: dict[bytes, Span] = {}
        """By span id, in the order in which they began."""
        self.open_jobs: dict[bytes, Job] = {}
        """By key, in the order in which they began."""
        self.ended_well = False
        """The journal's process has closed it."""
        self.last_time = 0
        """Unix time in ns of the last thing that the journal is known to tell..."""
        self.last_log: Frame | None = None
        self.last_samples: Frame | None = None
        """... but for these, which are decoded only when `time_of_death` is wanted."""

    def take(self, structure: Any, kind: int) -> None:
        """Take a definition that concerns every signal; ``kind``: that of its frame."""
        if isinstance(structure, Segment):
            self.segment = structure
            self.last_time = max(self.last_time, structure.created)
        elif isinstance(structure, Scope):
            self.scopes[structure.id] = structure
        elif isinstance(structure, Span):
            self.last_time = max(self.last_time, structure.start, structure.end)
            if kind == Kind.SPAN:
                self.open_spans.pop(structure.span_id, None)
            else:
                self.open_spans[structure.span_id] = structure
        elif isinstance(structure, Job):
            self.last_time = max(self.last_time, structure.start, structure.end)
            if structure.end:
                self.open_jobs.pop(structure.key, None)
            else:
                self.open_jobs[structure.key] = structure
        elif isinstance(structure, End):
            self.ended_well = True
            self.last_time = max(self.last_time, structure.time)

    def own_jobs(self) -> list[Job]:
        """Return the open jobs that the journal's process itself runs."""
        return [job for job in self.open_jobs.values() if job.own]

    def job_of(self, span: Span) -> Job | None:
        """Return the open job whose trace a span is in."""
        return next((job for job in self.open_jobs.values() if job.span[:16] == span.trace_id), None)

    def uid(self, sequence: int) -> str:
        """Return the ``log.record.uid`` of a record: the journal and its number in it."""
        return f"{self.segment.journal if self.segment else ''}-{sequence:x}"

    def request(self, records: Iterable[tuple[int, bytes]], ready: list[bytes] | None = None) -> bytes:
        """Return the body of a request with records, each as a field of `record_field`, with the number of its scope.

        ``ready`` are messages that hold their scope and its records, encoded.
        """
        groups: defaultdict[int, list[bytes]] = defaultdict(list)
        for scope, fields in records:
            groups[scope].append(fields)
        segment = self.segment
        return request(
            encode_values.resource(segment.resource if segment else {}),
            [self._group(scope, encoded) for scope, encoded in groups.items()],
            schema_url=segment.schema_url if segment else "",
            ready=ready or [],
        )

    def _group(self, number: int, records: list[bytes]) -> Group:
        scope = self.scopes.get(number) or Scope(number, "")
        return Group(encode_values.scope(scope), records, scope.schema_url)

    def time_of_death(self) -> int:
        """Return the Unix time in ns of the last thing that the journal knows; a killed process died then."""
        for frame in (self.last_log, self.last_samples):
            structure = frame.decode() if frame is not None else None
            if isinstance(structure, Log | Brief | Samples):
                self.last_time = max(self.last_time, structure.time)
        for slot in read_slots(self.folder):
            if isinstance(slot.value, Progress):
                self.last_time = max(self.last_time, slot.value.time)
        return self.last_time

    def death(self) -> Death:
        """Return how the process of a journal that nobody closed came to its end, as far as it is known."""
        return Death.of(read_exit(self.folder), oom_killed=read_usage(self.folder).oom_kill is not None)
