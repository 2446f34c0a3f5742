"""What stands at the top and at the bottom: what ran, how it ended, and what became of its records."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from synapse_otel import semconv
from synapse_otel.runs import RunState, Span
from synapse_otel.runs.gone import gone_notes
from synapse_otel.ui.formats import clock, duration, pairs, path, printable
from synapse_otel.ui.printed.page import Lines, Page, hanging

_RESULTS: Final = {semconv.RESULT_SUCCESS: "green", semconv.RESULT_SKIP: "green", semconv.RESULT_CANCELLATION: "yellow"}


def head(page: Page) -> Lines:
    """Yield what ran, how it ended, and by which ids it is found elsewhere."""
    jobs = page.recording.jobs
    if not jobs:
        yield _run_title(page)
    for job in jobs[:_JOBS]:
        yield _title(page, job)
        yield from _identity(page, job)
    if len(jobs) > _JOBS:
        yield page.more(len(jobs) - _JOBS, "jobs")


STATES: Final = {
    RunState.LIVE: "running",
    RunState.STALLED: "stalled",
    RunState.CRASHED: "killed",
    RunState.DONE: "ended",
}
_JOBS: Final = 3
_LINES: Final = 4


def _run_title(page: Page) -> Text:
    recording = page.recording
    name = recording.run.name if recording.run else "run"
    return Text.assemble((printable(name), "bold"), "  ", (STATES[recording.state], "dim"))


def _title(page: Page, job: Span) -> Text:
    called = str(job.attributes.get(semconv.RUN_NAME, ""))
    line = Text.assemble((printable(called or job.name), "bold"))
    if called:
        line.append(f"  {printable(job.name)}", "dim")
    version = job.attributes.get(semconv.PLUGIN_VERSION)
    if version:
        line.append(f" {printable(str(version))}", "dim")
    mark, words, style = _outcome(page, job)
    line.append("  ")
    line.append(f"{mark} {words}", style)
    return line


def _outcome(page: Page, job: Span) -> tuple[str, str, str]:
    took = duration((page.recording.end_of(job) - job.start) / 1e9)
    glyphs = page.glyphs
    if page.killed(job):
        why = ": out of memory" if page.recording.usage.oom_killed else ""
        return glyphs.failure, f"killed{why}, last seen after {took}", "bold red"
    if job.is_open and page.recording.state is RunState.STALLED:
        silent = duration((page.recording.read_at - page.recording.last_time) / 1e9)
        return glyphs.running, f"stalled, silent for {silent}", "bold yellow"
    if job.is_open:
        return glyphs.running, f"running for {took}", "bold cyan"
    result = job.result or ("error" if job.failed else "ended")
    colour = "red" if job.failed else _RESULTS.get(result, "red")
    return glyphs.failure if job.failed else glyphs.success, f"{result} in {took}", f"bold {colour}"


def _identity(page: Page, job: Span) -> Lines:
    label = 9
    tags = job.attributes.get(semconv.RUN_TAGS)
    rows: list[tuple[str, str]] = [
        ("tags", printable(", ".join(map(str, tags))) if isinstance(tags, list) else ""),
        ("notes", printable(str(job.attributes.get(semconv.RUN_NOTES, "")))),
        ("started", clock(job.start)),
        ("job", printable(str(job.attributes.get(semconv.JOB_ID, "")))),
        ("trace", job.trace_id),
        ("params", pairs(job.params)),
        ("made", pairs(job.products)),
    ]
    for name, text in rows:
        if text:
            yield from hanging(Text.assemble((f"  {name:<{label}}", "dim")), Text(text), page, most=_LINES)


def foot(page: Page) -> Lines:
    """Yield what became of the records, and where they are."""
    recording = page.recording
    account = recording.account
    style = "red" if account.lost > 0 else "yellow" if account.pending else "green"
    yield Text.assemble(("Delivery  ", "bold"), (str(account).replace(" · ", page.glyphs.dot), style))
    if account.pending and not recording.state.lives:
        why = f"{printable(account.failure)}; " if account.failure else ""
        yield Text(f"  {why}`synapse-otel sync` delivers what is pending", style="yellow")
    if recording.damage.places:
        yield Text(f"  {recording.damage.bytes:,} bytes of the journal are damaged and skipped", style="red")
    for note in gone_notes(recording.missing, account):
        yield Text(f"  {note}", style="dim")
    for folder in recording.folders[:_JOBS]:
        yield Text(f"  {path(str(folder))}", style="dim")
