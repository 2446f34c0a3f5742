"""The recorder: writes what OpenTelemetry's API is given to the journal of the run that goes on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from threading import RLock
from typing import Any, Final
from weakref import WeakSet

from synapse_otel._fork import Part, at_fork
from synapse_otel._version import __version__
from synapse_otel.journal import frames
from synapse_otel.journal.folder import spare_roots
from synapse_otel.journal.frames import Kind
from synapse_otel.journal.segment import NoJournal
from synapse_otel.journal.state_block import JobEntry, StateBlock
from synapse_otel.journal.writer import JournalWriter
from synapse_otel.redaction import KeyRedaction, hide_also
from synapse_otel.sdk.recorded_run import JournalRoots, RecordedRun, RecorderOptions
from synapse_otel.sdk.templates import BoundTemplate
from synapse_otel.semconv.signal import Signal

_SPAN: Final = int(Kind.SPAN)
_SPAN_OPEN: Final = int(Kind.SPAN_OPEN)
_TRACES: Final = int(Signal.TRACES)


class Bound:
    """A series that has a number: what measurements are recorded for."""

    __slots__ = ("__weakref__", "number", "payload")

    def __init__(self, number: int, payload: bytes) -> None:
        self.number: int = number
        self.payload: bytes = payload


class Recorder:
    """Appends to the journal of the current run, opened when first needed; another one after a fork or on failure."""

    def __init__(
        self,
        options: RecorderOptions,
        resource: Mapping[str, Any],
        block: StateBlock,
        *,
        say: Callable[[str], None],
        on_open: Callable[[JournalWriter], None],
    ) -> None:
        self.options = options
        self.redact: Final = KeyRedaction(options.secret_words)
        hide_also(options.secret_words)
        self.append: Callable[[int, int, bytes, int], None] = self._open_and_append
        """Append records: kind, signal, payload, count."""
        self.journal: JournalWriter | NoJournal = NoJournal()
        """The one that is written to, or was last."""
        self.run: RecordedRun = RecordedRun("process", resource)
        self.collect: Callable[[], None] | None = None
        """Called now and then, for the metrics of other instrumentations."""
        self.on_look: Callable[[], None] | None = None
        """Called now and then, by what is not called often: to see whether somebody delivers what is recorded."""
        self._block = block
        self._on_open = on_open
        self._lock = RLock()
        self._process = os.getpid()
        self._scopes: dict[tuple[Any, ...], int] = {}
        self._series: WeakSet[Bound] = WeakSet()
        self._templates: WeakSet[BoundTemplate] = WeakSet()
        self._open_spans: dict[bytes, bytes] = {}
        self._next_series = 0
        self._next_template = 0
        self._roots = JournalRoots([options.root, *spare_roots()], say)
        self._own_scope = self.scope(options.own_scope, __version__, None, None)
        block.on_job = self._define_job
        at_fork(Part.RECORDER, self._after_fork)

    # --- runs ---------------------------------------------------------------------------------------

    def begin_run(
        self, name: str, resource: Mapping[str, Any], journal_id: str | None = None, parent: str = ""
    ) -> JournalWriter | None:
        """Begin a journal for a run, or for a part of the run that has the journal `parent`; the one before is closed.

        Return None if none can be written.
        """
        self._notice_fork()
        with self._lock:
            self.close()
            self.run = RecordedRun(name, resource, journal_id, parent)
            return self._open(self.run)

    def close(self) -> None:
        """Close the current journals; what is recorded afterwards opens a new one."""
        with self._lock:
            self.append = self._open_and_append
            for journal in self.run.journals:
                journal.close()

    def sync(self) -> None:
        """Return when all that was recorded is on the disk."""
        self._notice_fork()
        for journal in self.run.journals:
            journal.sync()
        if self.on_look is not None:
            self.on_look()

    def divert(
        self, roots: JournalRoots, on_open: Callable[[JournalWriter], None]
    ) -> tuple[JournalRoots, Callable[[JournalWriter], None]]:
        """Write journals below other roots from now on; return what holds until then, to go back."""
        with self._lock:
            self.close()
            before = self._roots, self._on_open
            self._roots, self._on_open = roots, on_open
            self.run.journals = []
            return before

    def _open(self, run: RecordedRun, failed: JournalWriter | None = None) -> JournalWriter | None:
        """Open a journal in the first root that takes it, and make it the one that is written to."""
        made = self._roots.create(run, self.options, failed=failed)
        if made is None:
            self.append = self._lose
            return None
        journal, state = made
        journal.on_failure = self._go_on_elsewhere
        for key, number in list(self._scopes.items()):
            journal.define(("scope", number), Kind.SCOPE, frames.encode_clean([number, *key[:3], dict(key[3])]))
        for bound in list(self._series):
            journal.define(("series", bound.number), Kind.SERIES, bound.payload)
        for template in list(self._templates):
            journal.define(("template", template.number), Kind.TEMPLATE, template.payload)
        for span_id, payload in list(self._open_spans.items()):
            journal.define(("span", span_id), Kind.SPAN_OPEN, payload)
        for job in list(self._block.jobs.values()):
            journal.define(("job", job.key), Kind.JOB, self._encoded_job(job, 0))
        self._block.move(state)
        if failed is None:
            run.lost = [0] * len(Signal)
        run.journals.append(journal)
        self.run = run
        self.journal = journal
        self.append = journal.append
        self._on_open(journal)
        return journal

    def _go_on_elsewhere(self, error: OSError) -> JournalWriter | None:
        failed = self.run.journals[-1]
        self._roots.leave(failed, error)
        return self._open(self.run, failed)

    def _open_and_append(self, kind: int, signal: int, payload: bytes, count: int) -> None:
        with self._lock:
            if self.append == self._open_and_append:
                self._open_further()
        self.append(kind, signal, payload, count)

    def _open_further(self) -> None:
        """Open the first journal; or, after the end of a run, another one that belongs to it."""
        self._open(self.run.further() if self.run.journals else self.run)

    def _lose(self, _kind: int, signal: int, _payload: bytes, count: int) -> None:
        self.run.lost[signal] += count

    def _notice_fork(self) -> None:
        """Find out that this is a child of a fork that Python was not told of, as uWSGI's workers are."""
        if os.getpid() != self._process:
            self._after_fork()

    def _after_fork(self) -> None:
        """Leave the parent's journal to the parent: the child opens its own when it first records something."""
        self._lock = RLock()
        further = self.run.further()
        for journal in self.run.journals:
            journal.abandon()
        self.run = further
        self._process = os.getpid()
        self._open_spans.clear()
        self._block.restart()
        self.append = self._open_and_append

    # --- definitions --------------------------------------------------------------------------------

    def scope(
        self, name: str, version: str | None, schema_url: str | None, attributes: Mapping[str, Any] | None
    ) -> int:
        """Return the number of an instrumentation scope."""
        key = (name, version or "", schema_url or "", tuple(sorted((attributes or {}).items())))
        with self._lock:
            number = self._scopes.get(key)
            if number is None:
                number = self._scopes[key] = len(self._scopes)
                payload = frames.encode_clean([number, *key[:3], dict(key[3])])
                self._define(("scope", number), Kind.SCOPE, payload)
            return number

    def series(
        self,
        scope: int,
        instrument: str,
        identity: Sequence[str],
        attributes: Mapping[str, Any],
        bounds: Sequence[float],
    ) -> Bound:
        """Return a new series; ``identity`` is name, unit and description."""
        with self._lock:
            self._next_series += 1
            number = self._next_series
            fields = [number, scope, instrument, *identity, dict(self.redact(attributes)), list(bounds)]
            bound = Bound(number, frames.encode_clean(fields))
            self._series.add(bound)
            self._define(("series", number), Kind.SERIES, bound.payload)
            return bound

    def template(self, fields: Sequence[Any], *, synced: bool) -> BoundTemplate:
        """Return a new template; ``fields`` are those of `frames.Template` but for its number."""
        with self._lock:
            self._next_template += 1
            number = self._next_template
            payload = frames.encode_clean([number, *fields])
            bound = BoundTemplate(number, payload, self, self.redact, self.sync if synced else None)
            self._templates.add(bound)
            self._define(("template", number), Kind.TEMPLATE, payload)
            return bound

    def forget_template(self, bound: BoundTemplate) -> None:
        """Stop defining a template that is no longer used."""
        with self._lock:
            self._templates.discard(bound)
            for journal in self.run.journals:
                journal.forget(("template", bound.number))

    def _define_job(self, job: JobEntry, end: int) -> None:
        """Write that a job has begun, or ended."""
        with self._lock:
            if self.append == self._open_and_append:
                self._open_further()
            self._define(("job", job.key), Kind.JOB, self._encoded_job(job, end))
            if end:
                for journal in self.run.journals:
                    journal.forget(("job", job.key))

    def _encoded_job(self, job: JobEntry, end: int) -> bytes:
        attributes = dict(self.redact(job.attributes))
        span = frames.reference(job.trace_id, int.from_bytes(job.key, "big"), job.flags) if job.trace_id else b""
        fields = [job.key, job.start, attributes, job.category, span, self._own_scope, job.own, end]
        return frames.encode_clean(fields)

    def open_span(self, span_id: bytes, payload: bytes) -> None:
        """Keep a span that has begun, so that a reader can end it if this process cannot."""
        self._notice_fork()
        with self._lock:
            self._open_spans[span_id] = payload
            if self.append == self._open_and_append:
                self._open_further()
            self._define(("span", span_id), _SPAN_OPEN, payload)
        if self.on_look is not None:
            self.on_look()

    def end_span(self, span_id: bytes, payload: bytes) -> None:
        """Record a span that has ended."""
        with self._lock, self.run.journals[-1].undisturbed() if self.run.journals else nullcontext():
            # One act: a segment that another thread begins in between would show the span as open for ever.
            self.append(_SPAN, _TRACES, payload, 1)
            self._open_spans.pop(span_id, None)
            key = "span", span_id
            for journal in self.run.journals:
                journal.forget(key)

    def _define(self, key: object, kind: int, payload: bytes) -> None:
        journals = self.run.journals
        if journals and not journals[-1].closed:
            journals[-1].define(key, kind, payload)
