"""`Rebuilt`: the journal of a process, rebuilt from its sent records."""

from __future__ import annotations

import re
import shutil
from array import array
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from time import gmtime, strftime
from typing import Any, Final

import msgspec

from synapse_otel import semconv
from synapse_otel.journal import frames
from synapse_otel.journal.cursor import Cursor, write_cursor
from synapse_otel.journal.folder import EXIT_FILE, RUN_FILE, STATE_FILE, Exit, Run, segment_path
from synapse_otel.journal.frames import FORMAT_VERSION, Kind, encode, encode_clean, frame
from synapse_otel.runs.otlp_file.progress import SentProgress
from synapse_otel.runs.otlp_file.values import attributes, double, log_of, span_of
from synapse_otel.semconv.signal import Signal

MOST: Final = 200
"""Maximum number of processes in a file: a Collector's file may contain a whole fleet."""
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_EXIT: Final = "exit_"
_OF_JOB: Final = (semconv.JOB_ID, semconv.ACTION, semconv.PLUGIN_NAME)
_LEFT_OUT: Final = frozenset({semconv.JOB_PROGRESS.name, semconv.JOB_HEARTBEAT_TIME.name})
"""Gauges that follow from others."""


class TooManyError(Exception):
    """A file has too many processes."""


class Rebuilt:
    """The records of one resource, written as frames while they are read.

    Args:
        root: folder of the journals.
        resource: the process' attributes.
        number: how many others there are before it.

    Raises:
        TooManyError: there are too many others.
    """

    def __init__(self, root: Path, resource: dict[str, Any], number: int) -> None:
        if number >= MOST:
            raise TooManyError(f"it has records of more than {MOST} processes")
        self._root = root
        self._resource = resource
        self._body = root / f".body-{number}"
        self._file = self._body.open("wb")
        self._sequences = [0] * len(Signal)
        self._scopes: dict[str, int] = {}
        self._series: dict[bytes, int] = {}
        self._samples: list[tuple[array[int], array[float]]] = []
        """Times in Unix ns and values, by the series' number."""
        self._logs: list[tuple[int, bytes]] = []
        """Times in Unix ns, and payloads."""
        self._seen: set[str] = set()
        self._progress = SentProgress()
        self._open: dict[str, frames.Span] = {}
        self.spans: dict[str, frames.Span] = {}
        self.first = 0
        """Unix time in ns of the first record; 0: none yet."""
        self.last = 0
        self.journal = sha256(repr(sorted(resource.items(), key=repr)).encode()).hexdigest()[:32]

    # --- records ----------------------------------------------------------------------------------------

    def log(self, record: dict[str, Any], scope: str) -> None:
        """Add a log record."""
        log, uid = log_of(record, self._scope(scope))
        if uid and uid in self._seen:
            return  # sent twice
        self._seen.add(uid)
        self._logs.append((log.time, encode_clean(log)))
        self._tell(log.time)

    def span(self, record: dict[str, Any], scope: str) -> None:
        """Add a span; for a running one, its start marker."""
        span = span_of(record, self._scope(scope))
        if span.attributes.pop(semconv.SPAN_MARKER, None):
            self._open[span.parent_id.hex()] = span
        else:
            self.spans[span.span_id.hex()] = span
        self._tell(span.start)
        self._tell(span.end)

    def metric(self, record: dict[str, Any], scope: str) -> None:
        """Add the points of a gauge; sums and histograms add nothing to spans and records."""
        name = str(record.get("name") or "")
        for point in (record.get("gauge") or {}).get("dataPoints") or []:
            time = int(point.get("timeUnixNano") or 0)
            value = double(point["asInt"] if "asInt" in point else point.get("asDouble"))
            found = attributes(point.get("attributes"))
            if not self._progress.take(name, found, time, value) and name not in _LEFT_OUT:
                number = self._numbered(name, record, found, scope)
                self._samples[number][0].append(time)
                self._samples[number][1].append(value)
                self._tell(time)

    def _scope(self, name: str) -> int:
        number = self._scopes.setdefault(name, len(self._scopes))
        if number == len(self._scopes) - 1:
            self._write(Kind.SCOPE, frames.Scope(number, name))
        return number

    def _numbered(self, name: str, record: dict[str, Any], found: dict[str, Any], scope: str) -> int:
        key = encode_clean([name, sorted(found.items(), key=lambda item: item[0])])
        number = self._series.get(key)
        if number is None:
            number = self._series[key] = len(self._series)
            self._samples.append((array("q"), array("d")))
            unit, words = str(record.get("unit") or ""), str(record.get("description") or "")
            self._write(Kind.SERIES, frames.Series(number, self._scope(scope), "gauge", name, unit, words, found))
        return number

    def _write(self, kind: Kind, structure: object) -> None:
        self._file.write(frame(kind, encode_clean(structure)))

    def _write_record(self, kind: Kind, signal: Signal, payload: bytes) -> None:
        self._file.write(frame(kind, payload, 1, self._sequences[signal]))
        self._sequences[signal] += 1

    def _tell(self, time: int) -> None:
        if time > 0:
            self.first = min(self.first or time, time)
            self.last = max(self.last, time)

    def close(self) -> None:
        """Close the file that is open."""
        self._file.close()

    # --- the journal ------------------------------------------------------------------------------------

    @property
    def jobs(self) -> list[frames.Span]:
        """The job spans; running ones as they began."""
        return sorted(
            (span for span in self._all().values() if semconv.ACTION in span.attributes), key=lambda span: span.start
        )

    @property
    def traces(self) -> set[bytes]:
        """The traces that it has spans of."""
        return {span.trace_id for span in self._all().values()}

    def _all(self) -> dict[str, frames.Span]:
        found = dict(self.spans)
        for key, marker in self._open.items():
            if key not in found and key:
                name = marker.name.removesuffix(semconv.MARKER_SUFFIX)
                begun = msgspec.structs.replace(marker, name=name, span_id=marker.parent_id, parent_id=b"", end=0)
                found[key] = begun
        return found

    def finish(self, *, parent: str, left_out: int) -> None:
        """Create the journal's folder."""
        found, death = self._all(), _death(self.jobs)
        left_open = {
            key: msgspec.structs.replace(span, end=0)
            for key, span in found.items()
            if not span.end or (death and span.attributes.get(semconv.ERROR_TYPE) == death and _is_ours(span))
        }
        for span in left_open.values():
            self._write(Kind.SPAN_OPEN, span)
        for job in self.jobs:
            own: dict[str, Any] = {key: job.attributes[key] for key in _OF_JOB if key in job.attributes}
            category = str(job.attributes.get(semconv.CATEGORY, ""))
            reference = job.trace_id + job.span_id + b"\1"
            end = 0 if job.span_id.hex() in left_open else job.end
            self._write(Kind.JOB, frames.Job(job.span_id, job.start, own, category, reference, job.scope, end=end))
        for key, span in found.items():
            if key not in left_open:
                self._write_record(Kind.SPAN, Signal.TRACES, encode_clean(span))
        self._write_in_order()
        if not death:
            self._write(Kind.END, frames.End(self.last, self._sequences))
        self._file.close()
        self._make_folder(parent, left_out, death)

    def _write_in_order(self) -> None:
        """Write records and samples in the order of time: they were sent by scope, and some of them late."""
        for _time, payload in sorted(self._logs, key=itemgetter(0)):
            self._write_record(Kind.LOG, Signal.LOGS, payload)
        for number, (times, values) in enumerate(self._samples):
            for at in sorted(range(len(times)), key=times.__getitem__):
                samples = frames.Samples(times[at], [float(number), values[at]])
                self._write_record(Kind.SAMPLES, Signal.METRICS, encode(samples))

    def _make_folder(self, parent: str, left_out: int, death: str) -> None:
        job = next(iter(self.jobs), None)
        service = str(self._resource.get(semconv.SERVICE_NAME, "")) or "unknown"
        name = str(job.attributes.get(semconv.RUN_NAME, "")) or job.name if job else service
        created = self.first / 1e9
        try:
            when = strftime("%Y%m%dT%H%M%SZ", gmtime(created))
        except (OverflowError, ValueError, OSError):
            when = "00000000T000000Z"  # a time that no calendar has
        readable = _UNSAFE.sub("-", name)[:60].strip("-_.") or "run"
        folder = self._root / f"{when}-{readable}-{self.journal[:8]}"
        folder.mkdir(mode=0o700)
        destination = f"otlp file, {left_out} lines left out"  # as `rows.FROM_FILE` reads it
        run = Run(self.journal, name, created, 0, destination, keep=True, parent=parent, version=FORMAT_VERSION)
        (folder / RUN_FILE).write_bytes(msgspec.json.encode(run))
        if death and death != semconv.ERROR_TYPE_KILLED:
            code = int(death.removeprefix(_EXIT)) if death.removeprefix(_EXIT).isdigit() else None
            ended = Exit(code, "" if code is not None else death, time=self.last / 1e9)
            (folder / EXIT_FILE).write_bytes(msgspec.json.encode(ended))
        head = frames.Segment(FORMAT_VERSION, self.journal, self.first, [0] * len(Signal), self._resource)
        with segment_path(folder, 1).open("wb") as target, self._body.open("rb") as body:
            target.write(frame(Kind.SEGMENT, encode_clean(head)))
            shutil.copyfileobj(body, target)
        self._body.unlink()
        keys = {str(job.attributes.get(semconv.JOB_ID, "")): job.span_id for job in self.jobs}
        (folder / STATE_FILE).write_bytes(self._progress.block(keys))
        for signal in Signal:
            count = self._sequences[signal]
            cursor = Cursor(sequence=count, delivered=count, complete=True, killed=bool(death))
            write_cursor(folder, signal, cursor)


def finish(found: list[Rebuilt], *, left_out: int) -> None:
    """Create the journals' folders; a process without its own job belongs to the job of its trace.

    ``left_out`` lines of the file were damaged or not requests.
    """
    first = {trace: one.journal for one in found if one.jobs for trace in {job.trace_id for job in one.jobs}}
    for one in found:
        parents = [first[trace] for trace in one.traces if trace in first] if not one.jobs else []
        one.finish(parent=parents[0] if parents else "", left_out=left_out)


def _death(jobs: list[frames.Span]) -> str:
    """Return how the process ended, if it did not end its job, as an `error.type`; else empty."""
    for job in jobs:
        if job.end and job.attributes.get(semconv.JOB_RESULT) == semconv.RESULT_ERROR:
            kind = str(job.attributes.get(semconv.ERROR_TYPE, ""))
            if kind == semconv.ERROR_TYPE_KILLED or kind.startswith(("SIG", _EXIT)):
                return kind
    return ""


def _is_ours(span: frames.Span) -> bool:
    return semconv.ACTION in span.attributes or semconv.STEP_ORDER in span.attributes
