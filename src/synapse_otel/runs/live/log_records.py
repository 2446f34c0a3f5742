"""The log records of a run, stored as the journal's bytes, and decoded only when shown."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any, Final

import msgspec

from synapse_otel import semconv
from synapse_otel.journal import frames
from synapse_otel.journal.frames import Brief, Kind, Log, Template
from synapse_otel.journal.reader import Frame
from synapse_otel.redaction import redact_text, redact_values
from synapse_otel.runs import LogKind
from synapse_otel.runs.contents import kind_of
from synapse_otel.runs.entries import data_of
from synapse_otel.runs.image_files import NamedFile, is_image_name
from synapse_otel.runs.live.entry import LONGEST_TEXT, Json, milliseconds, plain

_KINDS: Final = list(LogKind)
_EVENT: Final = _KINDS.index(LogKind.EVENT)
_decode_log: Final = frames.DECODERS[Kind.LOG].decode
_decode_brief: Final = frames.DECODERS[Kind.BRIEF].decode
_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_LARGEST_TIME: Final = (1 << 63) - 1
_LARGEST_SEVERITY: Final = 1 << 15


class _Head(msgspec.Struct, array_like=True, gc=False):
    """The first fields of a `Brief`; the rest is not read."""

    time: int
    template: int


_decode_head: Final = msgspec.msgpack.Decoder(_Head).decode


class LogRecords:
    """The log records of one journal after another."""

    def __init__(self) -> None:
        self.times = array("q")
        self.severities = array("i")
        self.kinds = bytearray()
        """Place in `LogKind`."""
        self.categories = array("I")
        """Place in `names`."""
        self.names: list[str] = [""]
        self.images: list[int] = []
        """Places of the records that name a file that is expected to be an image."""
        self.metric_texts: list[int] = []
        """Places of the records of metrics that are no numbers."""
        self._payloads: list[bytes] = []
        self._templates: list[Template | None] = []
        """Template of each record; None for a complete one."""
        self._scopes: list[str] = []
        self._texts: list[str] = []
        self._numbers: dict[str, int] = {"": 0}
        self._of_template: dict[int, tuple[Template, int, int]] = {}
        self._of_journal: dict[Path, dict[int, tuple[Template, int, int]]] = {}

    def __len__(self) -> int:
        return len(self._payloads)

    def define(self, template: Template) -> None:
        """Add a template of the journal that is being read."""
        if abs(template.severity) > _LARGEST_SEVERITY:
            return
        whole = Log(0, template.severity, None, template.event_name, None, template.attributes, b"", 0)
        kind = _KINDS.index(kind_of(whole))
        self._of_template[template.id] = template, kind, self._category(template.attributes)

    def templates_of(self, folder: Path) -> None:
        """Begin a journal: each journal numbers its templates separately."""
        self._of_template = self._of_journal.setdefault(folder, {})

    def is_nonfinite(self, at: int) -> bool:
        """Return whether a record is about values that are not numbers."""
        template = self._templates[at]
        if template is not None:
            return template.event_name == semconv.EVENT_METRIC_NONFINITE
        return self.kinds[at] == _EVENT and self.whole(at)[2] == semconv.EVENT_METRIC_NONFINITE

    def take(self, frame: Frame, scopes: dict[int, str]) -> int | None:
        """Add a record and return its time in Unix ns; None if it cannot be read."""
        try:
            if frame.kind == Kind.BRIEF:
                head = _decode_head(frame.payload)
                known = self._of_template.get(head.template)
                if known is None:
                    return None
                template, kind, category = known
                if abs(head.time) > _LARGEST_TIME:
                    return None
                self._add(head.time, (template.severity, kind, category), frame.payload, template)
                self._scopes.append(scopes.get(template.scope, ""))
                return head.time
            log: Log = _decode_log(frame.payload)
        except _ERRORS:
            return None
        if abs(log.time) > _LARGEST_TIME or abs(log.severity) > _LARGEST_SEVERITY:
            return None
        kind = _KINDS.index(kind_of(log))
        if log.event_name == semconv.EVENT_METRIC_TEXT:
            self.metric_texts.append(len(self))
        elif is_image_name(log.event_name or "", str(log.attributes.get(semconv.FILE_PATH, ""))):
            self.images.append(len(self))
        self._add(log.time, (log.severity, kind, self._category(log.attributes)), frame.payload, None)
        self._scopes.append(scopes.get(log.scope, ""))
        return log.time

    def _add(self, time: int, sorts: tuple[int, int, int], payload: bytes, of: Template | None) -> None:
        severity, kind, category = sorts
        self.times.append(time)
        self.severities.append(severity)
        self.kinds.append(kind)
        self.categories.append(category)
        self._payloads.append(payload)
        self._templates.append(of)

    def _category(self, attributes: dict[str, Any]) -> int:
        name = str(attributes.get(semconv.CATEGORY, ""))
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self.names)
            self.names.append(redact_text(name))
        return number

    def sort(self) -> list[int]:
        """Sort the records of several journals by time; return the new position of each."""
        order = sorted(range(len(self)), key=self.times.__getitem__)
        self.times = array("q", map(self.times.__getitem__, order))
        self.severities = array("i", map(self.severities.__getitem__, order))
        self.kinds = bytearray(map(self.kinds.__getitem__, order))
        self.categories = array("I", map(self.categories.__getitem__, order))
        self._payloads = [self._payloads[at] for at in order]
        self._templates = [self._templates[at] for at in order]
        self._scopes = [self._scopes[at] for at in order]
        self._texts.clear()
        now = [0] * len(order)
        for place, before in enumerate(order):
            now[before] = place
        self.images = sorted(now[at] for at in self.images)
        self.metric_texts = sorted(now[at] for at in self.metric_texts)
        return now

    # --- showing --------------------------------------------------------------------------------------

    def attributes(self, at: int) -> dict[str, Any]:
        """Return all attributes of a record, credentials taken out."""
        return self.whole(at)[1]

    def recorded_attributes(self, at: int) -> dict[str, Any]:
        """Return the attributes of a record as they were recorded, credentials included: nothing to show."""
        template = self._templates[at]
        if template is None:
            return _decode_log(self._payloads[at]).attributes  # type: ignore[no-any-return]
        brief: Brief = _decode_brief(self._payloads[at])
        return template.attributes | {template.prefix + key: value for key, value in (brief.data or {}).items()}

    def whole(self, at: int) -> tuple[Any, dict[str, Any], str, bytes]:
        """Return body, attributes, name of the event, and span of a record."""
        template = self._templates[at]
        if template is None:
            log: Log = _decode_log(self._payloads[at])
            return redact_values(log.body), redact_values(log.attributes), log.event_name or "", log.span
        brief: Brief = _decode_brief(self._payloads[at])
        attributes = template.attributes.copy()
        for key, value in (brief.data or {}).items():
            attributes[template.prefix + key] = value
        return redact_values(brief.body), redact_values(attributes), template.event_name or "", template.span

    def file(self, at: int) -> NamedFile | None:
        """Return the file that a record names, as its author wrote it: to be opened, and not to be shown."""
        if self._templates[at] is not None:
            return None  # what is written in brief names none
        log: Log = _decode_log(self._payloads[at])
        path = log.attributes.get(semconv.FILE_PATH)
        if path is None:
            return None
        size = log.attributes.get(semconv.FILE_SIZE)
        directory, modified = (
            str(log.attributes.get(key, "")) for key in (semconv.FILE_DIRECTORY, semconv.FILE_MODIFIED)
        )
        return NamedFile(str(path), directory, size if isinstance(size, int) else None, modified, log.time)

    def text(self, at: int) -> str:
        """Return the searchable text in lower case: what a record's line shows, and the stack of an exception."""
        while len(self._texts) <= at:
            place = len(self._texts)
            told = self.told(place)
            parts = [told[key] for key in ("text", "context", "category", "file")]
            parts += [told["event"]] if told["kind"] == LogKind.EVENT else []
            parts += [told["scope"]] if told["kind"] == LogKind.LOGGING else []
            parts += [f"{key}={value}" for key, value in told["data"].items()]
            parts.append(str(told["more"].get(semconv.EXCEPTION_STACKTRACE, "")))
            self._texts.append("\n".join(parts).lower())
        return self._texts[at]

    def told(self, at: int) -> Json:
        """Return a record as the page shows it."""
        body, attributes, event, span = self.whole(at)
        kind = _KINDS[self.kinds[at]]
        prefix = semconv.DATA_PREFIX
        data = data_of(attributes)
        known = {semconv.CATEGORY, semconv.MESSAGE_CONTEXT, semconv.AUDIENCE, semconv.FILE_PATH}
        more = {key: value for key, value in attributes.items() if key not in known and not key.startswith(prefix)}
        return {
            "n": at,
            "time": milliseconds(self.times[at]),
            "severity": self.severities[at],
            "kind": str(kind),
            "context": str(attributes.get(semconv.MESSAGE_CONTEXT, "")),
            "category": self.names[self.categories[at]],
            "event": event,
            "text": text_of(kind, body, attributes)[:LONGEST_TEXT],
            "data": plain(data),
            "file": (file := str(attributes.get(semconv.FILE_PATH, ""))),
            "image": is_image_name(event, file),
            "more": plain(more),
            "scope": self._scopes[at],
            "span": span[16:24].hex(),
        }


def text_of(kind: LogKind, body: Any, attributes: dict[str, Any]) -> str:
    """Return the text of a record; of an exception without one, its class and message."""
    if body is None and kind is LogKind.EXCEPTION:
        return f"{attributes.get(semconv.EXCEPTION_TYPE, '')}: {attributes.get(semconv.EXCEPTION_MESSAGE, '')}"
    return "" if body is None else str(body)
