"""`job()`, which a plugin's author starts a job with, and `configure()`, for those who want to set something."""

from __future__ import annotations

import atexit
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context

from synapse_otel import semconv
from synapse_otel._fork import Part, at_fork
from synapse_otel._guard import guarded
from synapse_otel.mapping.job import Job
from synapse_otel.mapping.start_job import JobSpec, start_job
from synapse_otel.notices import Check, explained_by, say
from synapse_otel.runtime.state import STATE
from synapse_otel.runtime.termination import NotLeft, Terminated, ended_by_sigterm

if TYPE_CHECKING:
    from synapse_otel.journal.account import Account
    from synapse_otel.loggers import BaseLogger
    from synapse_otel.plugins.context import PluginEnvironment, RuntimeContext
    from synapse_otel.runtime.process import ProcessRuntime
    from synapse_otel.settings import Settings


def _after_fork() -> None:
    STATE.after_fork()
    _end_with_worker()


def _end_with_worker() -> None:
    """Have a worker of multiprocessing close its journal at its end: it ends by ``os._exit``, without `atexit`."""
    if "multiprocessing.util" in sys.modules:
        from multiprocessing import parent_process, util

        util.register_after_fork(_at_exit, _register_with_worker)  # a worker that begins now clears what was there
        if parent_process() is not None:
            _register_with_worker(_at_exit)


def _register_with_worker(at_exit: Callable[[], None]) -> None:
    from multiprocessing.util import Finalize

    Finalize(None, at_exit, exitpriority=_LAST)


_LAST: Final = -100
"""Priority in multiprocessing's registry: after everything else that may still record."""


at_fork(Part.RUNTIME, _after_fork)


def configure(**settings: Any) -> None:
    """Set up recording and delivery, once in a process; `job` does it when it has not been done.

    Args:
        **settings: Fields of `synapse_otel.settings.Settings`; each wins over the environment.

    Raises:
        SettingsError: a setting is wrong; the message names it, its value and what is allowed.
        RuntimeError: it has been set up with other settings.
    """
    from synapse_otel.settings import load_settings

    loaded = load_settings(**settings)
    with STATE.lock:
        if STATE.runtime is None:
            _set_up(loaded)
        elif settings and STATE.runtime.settings != loaded:
            msg = "configure() was called before with other settings; settings are per process"
            raise RuntimeError(msg)


def _set_up(settings: Settings) -> ProcessRuntime:
    from synapse_otel.runtime.process_environment import strip_standard_variables
    from synapse_otel.settings import check_standard_variables, handed_settings

    check_standard_variables()
    strip_standard_variables()  # before the SDK is loaded, which reads some of them at once
    from synapse_otel.mapping.propagation.inherited_job import inherit
    from synapse_otel.mapping.python_logging.capture import capture_logging
    from synapse_otel.runtime.process import ProcessRuntime

    runtime = STATE.runtime = ProcessRuntime(settings)
    if settings.logging_level is not None and not settings.sdk_disabled:
        capture_logging(settings.logging_level)
    inherit(settings.job, runtime.parent(), _join, handed_settings(settings))
    atexit.register(_at_exit)
    _end_with_worker()
    return runtime


def _runtime() -> ProcessRuntime:
    from synapse_otel.settings import load_settings

    with STATE.lock:
        return STATE.runtime if STATE.runtime is not None else _set_up(load_settings())


@contextmanager
def job(
    action: str,
    *,
    plugin: str,
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
) -> Iterator[RuntimeContext]:
    """Run a job: its spans, its journal and its delivery, from here to the end of the ``with`` block.

    Args:
        action: What the job does: ``train``, ``export``, ``upload``, ``inference``...
        plugin: Name of the plugin; the ``service.name`` of its telemetry unless ``OTEL_SERVICE_NAME`` is set.
        version: Version of the plugin.
        job_id: The platform's id of the job; made up if there is none.
        category: Category of the plugin; the action if there is none.
        checkpoint: Model that the job starts from: ``category`` and ``path``.
        env: What `RuntimeContext.env` is: the process' environment if nothing is given.
        client: What `RuntimeContext.client` is.
        agent_client: What `RuntimeContext.agent_client` is.
        logger: What the author sees; a console if nothing is given.
        params: Parameters of the job, to find it by.
        name: What the run is called, on one line; longer ones than 100 characters are cut. If there is none, what
            ``SYNAPSE_OTEL_RUN_NAME`` says; else action, plugin, and the job's id where it is short, or a number that
            counts on this machine: ``train-yolo-7``. Each attempt of a job that is resumed has the same.
        tags: Words to find the run by, at most 64; those of ``SYNAPSE_OTEL_RUN_TAGS`` come on top.
        notes: What there is to say about the run, on any number of lines.

    Raises:
        TypeError, ValueError: an argument is wrong; the message names it.
        SettingsError: a setting is wrong.

    An exception that leaves the block is recorded and goes on unchanged.
    """
    from synapse_otel.loggers import ConsoleLogger
    from synapse_otel.plugins.context import PluginEnvironment, RuntimeContext

    spec = JobSpec(
        action=action,
        plugin=plugin,
        version=version,
        job_id=job_id,
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
    console = ConsoleLogger() if logger is None else None
    with running_job(spec, at_end=console.finish if console is not None else None) as started:
        if console is not None:
            console.open()
        context = RuntimeContext(
            logger=console or logger or ConsoleLogger(),
            env=env,
            job_id=started.id,
            client=client,
            agent_client=agent_client,
            checkpoint=dict(checkpoint) if checkpoint is not None else None,
        )
        context._job = started  # noqa: SLF001 - the seam between the context and its job
        try:
            yield context
        finally:
            if console is not None:
                context.logger = ConsoleLogger()  # what is logged afterwards is recorded and shown too


@contextmanager
def running_job(
    spec: JobSpec,
    *,
    parent: Context | None = None,
    at_end: Callable[[], None] | None = None,
    is_told: bool = True,
) -> Iterator[Job]:
    """Run a job without a context of ours: what `job` is made of, and the integrations are.

    Args:
        spec: what the job is.
        parent: trace context that the job belongs to; that of the environment if none is given.
        at_end: called when the job has ended, before its end is told.
        is_told: whether the job's end is told on stderr.

    Raises:
        SettingsError: a setting is wrong.
    """
    from synapse_otel.runtime.run_names import labelled
    from synapse_otel.settings import handed_settings
    from synapse_otel.settings.travelling import packed

    runtime = _runtime()
    with STATE.lock:
        outermost = not STATE.jobs
        if outermost:
            spec = labelled(spec, runtime.settings, has_journal=runtime.installed is not None)
        elif spec.name is None:
            spec = replace(spec, name=STATE.jobs[0].run_name or None)
        if spec.job_id is None:
            spec = replace(spec, job_id=uuid.uuid4().hex)
        of_run = {
            semconv.SERVICE_NAME: spec.plugin,
            semconv.SERVICE_VERSION: spec.version,
            semconv.ACTION: spec.action,
            **spec.labels,
        }
        if outermost:
            _end_received()
            runtime.begin_run(spec.run_name, of_run)
        started = start_job(
            spec,
            live_spans=runtime.settings.live_spans,
            parent=parent if parent is not None else runtime.parent(),
            set_up=(_join, (packed(handed_settings(runtime.settings)), spec.run_name, of_run, runtime.journal_id)),
        )
        STATE.jobs.append(started)
    started.flush = runtime.flush
    started.at_end = at_end
    started.is_told = is_told
    if outermost and is_told:
        _tell_page(started, runtime)
    with ended_by_sigterm(lambda error: _end(started, error), runtime.settings.exit_timeout):
        try:
            with started.root.activated():
                yield started
        except BaseException as error:
            _end(started, error)
            raise
        else:
            _end(started, None)


def _tell_page(started: Job, runtime: ProcessRuntime) -> None:
    """Say where the run can be watched, if a page is served over its folder of journals.

    The page's token is for who looks at a terminal, not for a file that others may read: without it, the address is
    for the browser that has the page open.
    """
    from synapse_otel.runtime.served_page import served_page

    folder = runtime.journal_folder
    address = served_page(runtime.settings.journal_dir) if folder is not None else ""
    if folder is not None and address:
        home, _, token = address.partition("?")
        shown = f"{token}&" if guarded(_is_on_terminal, otherwise=lambda _error: False) else ""
        say(f"{started.run_name}: {home}?{shown}run={folder.name}")


def _is_on_terminal() -> bool:
    """Return whether somebody reads stderr, which may be None or closed."""
    return sys.stderr.isatty()


def begin_process(name: str, *, plugin: str, version: str | None = None) -> None:
    """Set up a process that hands on jobs of a plugin and runs none: what it records has a journal of its own."""
    from synapse_otel.runtime.run_names import counted_name

    with STATE.lock:
        runtime = _runtime()
        if not STATE.jobs and not runtime.journal_id:
            root = runtime.settings.journal_dir if runtime.installed is not None else None
            runtime.begin_run(
                counted_name(name, root), {semconv.SERVICE_NAME: plugin, semconv.SERVICE_VERSION: version}
            )


def _join(
    settings: Mapping[str, Any], name: str, attributes: Mapping[str, Any], journal: str
) -> Callable[[], Account | None]:
    """Set up a process that was handed the context of a job: it records for that job's run, in a journal of its own.

    Return what flushes it.
    """
    with STATE.lock:
        runtime = STATE.runtime or _set_up_worker(settings)
        if runtime is None:
            return _record_nothing
        if not STATE.jobs:
            runtime.join_run(name, attributes, journal)
    return runtime.flush


def _record_nothing() -> None:
    """Stand in for the flush of a process that could not be set up."""


def _set_up_worker(settings: Mapping[str, Any]) -> ProcessRuntime | None:
    """Set up a process with the settings of another; None if they do not work here, which is reported once."""
    from synapse_otel.runtime.process_environment import take_variables
    from synapse_otel.settings import SettingsError, load_settings
    from synapse_otel.settings.travelling import unpacked

    if STATE.is_refused:
        return None
    try:
        held, variables = unpacked(settings)
        take_variables(variables)
        return _set_up(load_settings(**held))
    except SettingsError as error:
        STATE.is_refused = True
        say(f"{error}: the work of this process for the job is not recorded; {explained_by(Check.SETTINGS)}")
        return None


def _end_received() -> None:
    """End what this process does for jobs that it was handed, if it was; while their journal is still open."""
    handed = sys.modules.get("synapse_otel.mapping.propagation.remote_job")
    if handed is not None:
        handed.end_received()


# --- the job's end -------------------------------------------------------------------------------------


def _end(started: Job, error: BaseException | None) -> None:
    """End a job; the last one that runs also ends the run, and says how it went."""
    with STATE.lock:
        if started not in STATE.jobs:
            return  # ended already, by a signal; or this is the child of a fork, and it is not its own to end
        STATE.jobs.remove(started)
        last = not STATE.jobs
    result = started.end(error, semconv.RESULT_ERROR if isinstance(error, Terminated) else None)
    if started.at_end is not None:
        started.at_end()
    runtime = _runtime()
    if last:
        account = runtime.end_run()
        if started.is_told:
            _report(started, result, account, runtime.outlook() if account is not None and account.pending else "")


def _report(started: Job, result: str, account: Account | None, outlook: str) -> None:
    """Say on one line how the job ended, and what became of its telemetry."""
    seconds = (started.finished or {}).get("seconds", 0.0)
    span = started.root.span.get_span_context()
    trace = f" · trace {span.trace_id:032x}" if span.is_valid else ""
    line = f"{started.run_name}: {result} in {seconds:.1f} s{trace}"
    if account is not None:
        line += f" · {account}"
        if account.pending:
            reason = f" ({account.failure}; {explained_by(Check.ENDPOINT)})" if account.failure else ""
            line += f"{reason} · kept on disk; {outlook}"
        line += f" · synapse-otel view {quote(started.run_name)}"
    say(line)


def _at_exit() -> None:
    """End what is still open when the interpreter ends without having left the ``with`` block."""
    _end_received()
    runtime = STATE.runtime
    if runtime is None or runtime.installed is None:
        return
    for started in STATE.jobs[::-1]:
        _end(started, NotLeft("the interpreter exited inside the job's block"))
    if all(journal.closed for journal in runtime.installed.recorder.run.journals):
        return
    if runtime.installed.recorder.run.parent:
        runtime.close()  # its run is another process' to wait for
    else:
        runtime.end_run()
