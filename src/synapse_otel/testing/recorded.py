"""`recorded_job`: a running job, and everything that it has recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from synapse_otel import _guard as contained
from synapse_otel import semconv
from synapse_otel.journal.folder import run_folders
from synapse_otel.loggers import NoOpLogger
from synapse_otel.mapping.job import Job
from synapse_otel.mapping.start_job import JobSpec, start_job
from synapse_otel.plugins.context import PluginEnvironment, RuntimeContext
from synapse_otel.runs import LogEntry, LogKind, Recording, Span
from synapse_otel.runtime.run_names import labelled
from synapse_otel.sdk.recorder import Recorder
from synapse_otel.semconv.progress import Progress
from synapse_otel.testing.fixed import Clock, fixed_clock
from synapse_otel.testing.running import (
    TelemetryError,
    fixed_ids,
    known_to_runtime,
    recorded_logging,
    recording_into,
)

if TYPE_CHECKING:
    from synapse_otel.loggers import BaseLogger

__all__ = ["RecordedJob", "TelemetryError", "recorded_job"]


class RecordedJob:
    """A job of a test, and what it has recorded so far; complete, and kept, after its ``with`` block."""

    def __init__(self, ctx: RuntimeContext, job: Job, recorder: Recorder, folder: Path, clock: Clock | None) -> None:
        self.ctx = ctx
        """The `RuntimeContext`, as a plugin gets it."""
        self.job = job
        self.folder = folder
        """Below it is the journal, until the ``with`` block is left."""
        self.clock = clock
        """The fixed clock, if there is one: ``advance(seconds)`` lets time pass."""
        self._recorder = recorder
        self._kept: Recording | None = None
        self._around = ExitStack()
        self._sdk_ctx: Any = None

    @property
    def sdk_ctx(self) -> Any:
        """The ``RuntimeContext`` of the real Synapse SDK, for plugins that were written for it.

        The first use instruments the SDK, until the job ends.

        Raises:
            ImportError: the SDK is not installed.
        """
        if self._sdk_ctx is None:
            from synapse_otel.testing.sdk import sdk_context

            self._sdk_ctx = self._around.enter_context(sdk_context(self.ctx))
        return self._sdk_ctx

    def end(self, error: BaseException | None = None) -> str:
        """End the job, as if ``error`` had left it; return the result. A second call changes nothing."""
        self._around.close()
        result = self.job.end(error)
        self.ctx.logger.finish()
        return result

    def close(self) -> None:
        """Close the journal and keep what is in it. A second call does nothing."""
        if self._kept is None:
            self._recorder.close()
            self._kept = self.recording

    # --- what was recorded

    @property
    def recording(self) -> Recording:
        """Everything that was recorded, by the plugin, its libraries and other instrumentations."""
        return self._kept if self._kept is not None else Recording.read(*run_folders(self.folder))

    @property
    def result(self) -> str | None:
        """How the job ended: ``success``, ``failure``, ``cancellation``...; None while it runs."""
        return str(self.job.finished[semconv.JOB_RESULT]) if self.job.finished is not None else None

    @property
    def spans(self) -> list[Span]:
        """The spans that have no parent, most often that of the job alone; each holds its ``children``."""
        return self.recording.spans

    def span(self, name: str) -> Span:
        """Return the first span of a name.

        Raises:
            LookupError: there is none; the message says which there are.
        """
        spans = [span for _depth, span in self.recording.walk()]
        found = next((span for span in spans if span.name == name), None)
        if found is None:
            msg = f"there is no span {name!r}, only {', '.join(repr(span.name) for span in spans)}"
            raise LookupError(msg)
        return found

    def samples(self, name: str, category: str | None = None) -> list[float]:
        """Return the values of one of the plugin's metrics in the order of their times, of one category or of all."""
        found = [
            point
            for (where, what), series in self.recording.curves.items()
            if what == name and category in {None, where}
            for point in zip(series.times, series.values, strict=True)
        ]
        return [value for _time, value in sorted(found, key=lambda point: point[0])]

    @property
    def progress(self) -> dict[str, Progress]:
        """The last progress of each category; that of the job as a whole under the empty one."""
        own = self.job.key.hex()
        return {one.category: one.progress for one in self.recording.progress if one.job == own}

    @property
    def log_records(self) -> list[LogEntry]:
        """All log records, in the order in which they were made: the properties below give those of one kind."""
        return self.recording.logs

    @property
    def messages(self) -> list[LogEntry]:
        """The messages for the user: of each ``body``, ``context`` and ``category`` say the most."""
        return self._of_kind(LogKind.MESSAGE)

    @property
    def events(self) -> list[LogEntry]:
        """The plugin's own events: ``event_name``, ``data``, ``file``, ``category``."""
        return self._of_kind(LogKind.EVENT)

    @property
    def developer_events(self) -> list[LogEntry]:
        """What is meant for the plugin's developers: ``body``, ``data``."""
        return self._of_kind(LogKind.DEVELOPER)

    def emitted(self) -> int:
        """Return how many records were made: log records, samples and spans that have ended."""
        return sum(self._recorder.run.emitted())

    def _of_kind(self, kind: LogKind) -> list[LogEntry]:
        return [entry for entry in self.recording.logs if entry.kind is kind]


@contextmanager
def recorded_job(
    action: str = "test",
    *,
    plugin: str = "plugin",
    version: str | None = None,
    job_id: str | None = None,
    category: str | None = None,
    checkpoint: Mapping[str, Any] | None = None,
    env: PluginEnvironment | Mapping[str, Any] | None = None,
    client: Any = None,
    agent_client: Any = None,
    logger: BaseLogger | None = None,
    params: Mapping[str, Any] | None = None,
    name: str | None = None,
    tags: Iterable[str] = (),
    notes: str | None = None,
    fixed: bool = False,
) -> Iterator[RecordedJob]:
    """Run a job for a test, from here to the end of the ``with`` block.

    The arguments are those of `synapse_otel.job`, but for two: ``logger`` shows nothing if none is given, and
    ``fixed`` asks for ids and times that are the same in every run.

    Raises:
        RuntimeError: OpenTelemetry's providers are set, and are not ours.
        TypeError, ValueError: an argument is wrong; the message names it.

    Failures of telemetry that a job would never notice are raised in the calls that they happen in: those of a view
    as they are, those of the journal as `TelemetryError`. What leaves the block ends the job, and goes on unchanged.
    """
    spec = JobSpec(
        action=action,
        plugin=plugin,
        version=version,
        job_id=job_id if job_id is not None else "job-1" if fixed else uuid4().hex,
        category=category,
        checkpoint=checkpoint,
        params=params,
        name=name,
        tags=tags,
        notes=notes,
    )
    if env is None:
        env = PluginEnvironment.from_environ()
    elif not isinstance(env, PluginEnvironment):
        env = PluginEnvironment(env)
    with ExitStack() as around:
        folder = Path(around.enter_context(TemporaryDirectory(prefix="synapse-otel-")))
        running = around.enter_context(recording_into(folder))
        clock: Clock | None = None
        if fixed:
            around.enter_context(fixed_ids())
            clock = around.enter_context(fixed_clock())
        around.enter_context(contained.raised())
        spec = labelled(spec, running.settings, has_journal=True)
        resource = {"service.name": plugin, "service.version": version, **spec.labels}
        running.begin(spec.run_name, resource, fixed=fixed)
        around.enter_context(recorded_logging(running.settings.logging_level))
        job = start_job(spec, live_spans=running.settings.live_spans)
        around.enter_context(known_to_runtime(job))
        ctx = RuntimeContext(
            logger=logger if logger is not None else NoOpLogger(),
            env=env,
            job_id=job.id,
            client=client,
            agent_client=agent_client,
            checkpoint=dict(checkpoint) if checkpoint is not None else None,
        )
        ctx._job = job  # noqa: SLF001 - the seam between the context and its job
        recorded = RecordedJob(ctx, job, running.recorder, folder, clock)
        around.callback(recorded.close)
        try:
            with job.root.activated():
                yield recorded
        except BaseException as error:
            recorded.end(error)
            raise
        else:
            recorded.end()
