"""Reads a file of OTLP in JSON, from ``export`` or a Collector's file exporter, into journals.

Each line is a request. Each resource (a process) becomes a journal in a temporary folder, which is then used like any
other run.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec

from synapse_otel.runs.otlp_file.rebuilt import Rebuilt, TooManyError, finish
from synapse_otel.runs.otlp_file.values import as_list, attributes

_GROUPS: Final = {
    "resourceSpans": ("scopeSpans", "spans"),
    "resourceMetrics": ("scopeMetrics", "metrics"),
    "resourceLogs": ("scopeLogs", "logRecords"),
}
"""By member of a request: the member of a resource, and that of a scope."""
_MALFORMED: Final = (TypeError, ValueError, AttributeError, KeyError, OverflowError, RecursionError, Base64Error)
"""Errors from JSON that does not have the structure of OTLP; msgspec's errors are ValueErrors."""


class NotOtlpError(LookupError):
    """A file is not OTLP in JSON."""


@contextmanager
def read_otlp_file(path: Path) -> Iterator[Path]:
    """Return a folder of runs for as long as they are viewed.

    Raises:
        NotOtlpError: nothing in the file is OTLP in JSON, or it has too many processes.
        OSError: it cannot be read.
    """
    with TemporaryDirectory(prefix="synapse-otel-view-") as place, closing(_Processes(Path(place))) as processes:
        try:
            left_out = sum(not processes.take(line) for line in _requests(path))
        except TooManyError as error:
            raise NotOtlpError(f"{path}: {error}") from None
        if not processes.found:
            raise NotOtlpError(
                f"{path} is neither a page nor OTLP in JSON written by `synapse-otel export` or a Collector's "
                "file exporter, nor a folder of runs"
            )
        finish(processes.found, left_out=left_out)
        yield Path(place)


def _requests(path: Path) -> Iterator[bytes]:
    """Yield the requests: one per line, or a single one in the whole file."""
    with path.open("rb") as file:
        first = file.readline()
        if first.strip() in {b"{", b"["}:  # somebody has made it readable
            whole = first + file.read()
            parsed = _parsed(whole)
            yield from map(msgspec.json.encode, parsed) if isinstance(parsed, list) else [whole]
            return
        yield first
        yield from file


class _Processes:
    """The journals of the processes whose records are in a file."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._by_resource: dict[bytes, Rebuilt] = {}

    @property
    def found(self) -> list[Rebuilt]:
        """The journals, in the order in which their first records came."""
        return list(self._by_resource.values())

    def close(self) -> None:
        """Close the files that are open."""
        for one in self.found:
            one.close()

    def take(self, line: bytes) -> bool:
        """Add a request; return whether it was one, or empty.

        Raises:
            TooManyError: there are too many processes.
        """
        if not line.strip():
            return True
        request = _parsed(line)
        if not isinstance(request, dict) or _GROUPS.keys().isdisjoint(request):
            return False
        good = True
        for member in _GROUPS:
            for group in as_list(request.get(member, [])):
                good &= self._take_group(member, group)
            good &= isinstance(request.get(member, []), list)
        return good

    def _take_group(self, member: str, group: Any) -> bool:
        scopes, records = _GROUPS[member]
        try:
            journal = self._of(attributes(group.get("resource", {}).get("attributes")))
            found = [(one, str((one.get("scope") or {}).get("name", ""))) for one in as_list(group.get(scopes))]
        except _MALFORMED:
            return False
        take = {"resourceSpans": journal.span, "resourceMetrics": journal.metric, "resourceLogs": journal.log}[member]
        good = True
        for one, scope in found:
            for record in as_list(one.get(records)):
                try:
                    take(record, scope)
                except _MALFORMED:
                    good = False
        return good

    def _of(self, resource: dict[str, Any]) -> Rebuilt:
        key = msgspec.msgpack.encode(sorted(resource.items(), key=lambda item: item[0]))
        journal = self._by_resource.get(key)
        if journal is None:
            journal = self._by_resource[key] = Rebuilt(self._place, resource, len(self._by_resource))
        return journal


def _parsed(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None
