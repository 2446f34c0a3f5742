"""Messages, events and everything else that was logged, each with its time since the job began."""

from __future__ import annotations

from typing import Final

from rich.cells import cell_len
from rich.text import Text

from synapse_otel import semconv
from synapse_otel.runs import LogEntry, LogKind
from synapse_otel.runs.entries import most_telling
from synapse_otel.semconv.severity import Severity
from synapse_otel.ui.formats import fitted, pairs, path, printable, size
from synapse_otel.ui.printed.page import Lines, Page, hanging, heading

FIRST: Final = 16
LAST: Final = 24
IMPORTANT: Final = 16
"""Warnings and errors between the first and the last rows that are shown too."""
LONGEST_LINES: Final = 3
_LONGEST_TEXT: Final = 2_000
_TIME: Final = 9
_LEVEL: Final = 8
_STYLES: Final = (
    (Severity.FATAL, "bold red"),
    (Severity.ERROR, "red"),
    (Severity.WARN, "yellow"),
    (Severity.SUCCESS, "green"),
)


def messages(page: Page) -> Lines:
    """Yield the lines of the section."""
    entries = page.recording.logs
    if not entries:
        return
    shown = _chosen(entries)
    category = 0 if page.narrow else min(max(cell_len(entries[at].category) for at in shown), page.width // 6)
    before = -1
    yield heading("Messages and events")
    for at in shown:
        if at > before + 1:
            yield page.more(at - before - 1, "here")
        yield from _lines(page, entries[at], category)
        before = at


def _chosen(entries: list[LogEntry]) -> list[int]:
    """Return the places of the entries to show: the first, the last, and of those between what matters most.

    Of a metric that is a text only the latest entry is among them: there may be one for each epoch.
    """
    texts = [at for at, entry in enumerate(entries) if entry.event_name == semconv.EVENT_METRIC_TEXT]
    latest = {(entries[at].category, *entries[at].data): at for at in texts}
    folded = set(texts).difference(latest.values())
    places = [at for at in range(len(entries)) if at not in folded]
    severities = [entries[at].severity for at in places]
    return [places[at] for at in most_telling(severities, first=FIRST, important=IMPORTANT, last=LAST)]


def _lines(page: Page, entry: LogEntry, category: int) -> Lines:
    word, style = _level(entry)
    head = Text("  ")
    head.append(f"{page.offset(entry.time):>{_TIME}}  ", "dim")
    head.append(fitted(word, _LEVEL, page.glyphs) + " ", style)
    if category:
        head.append(fitted(printable(entry.category), category, page.glyphs) + "  ", "dim cyan")
    yield from hanging(head, _body(entry), page, most=LONGEST_LINES)


def _level(entry: LogEntry) -> tuple[str, str]:
    """Return the word for how an entry is meant, and its style."""
    words = {LogKind.EVENT: "event", LogKind.DEVELOPER: "dev", LogKind.EXCEPTION: "error", LogKind.LIFE: "job"}
    word = entry.context or words.get(entry.kind) or "log"
    return word, _style(entry)


def _style(entry: LogEntry) -> str:
    if entry.kind is LogKind.DEVELOPER or entry.severity < Severity.INFO:
        return "dim"
    for least, style in _STYLES:
        if entry.severity >= least:
            return style
    return "magenta" if entry.kind is LogKind.EVENT else "blue"


def _body(entry: LogEntry) -> Text:
    quiet = entry.kind is LogKind.DEVELOPER
    text = Text(style="dim" if quiet else "")
    body = "" if entry.body is None else printable(str(entry.body)[:_LONGEST_TEXT])
    if entry.kind is LogKind.EVENT:
        text.append(printable(entry.event_name), "" if quiet else "bold")
        body = f"  {body}" if body else ""
    elif entry.kind is LogKind.LOGGING:
        text.append(f"{printable(entry.scope)}: ", "dim")
    text.append(body, _style(entry) if entry.severity >= Severity.SUCCESS and not quiet else "")
    if entry.data:
        text.append(f"  {pairs(entry.data)}"[:_LONGEST_TEXT], "dim" if quiet else "")
    if entry.file is not None:
        text.append(f"  {path(entry.file)}", "dim underline")
        bytes_ = entry.attributes.get(semconv.FILE_SIZE)
        if isinstance(bytes_, int):
            text.append(f" ({size(bytes_)})", "dim")
    return text
