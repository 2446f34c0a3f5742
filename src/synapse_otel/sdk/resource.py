"""The resource: what is known of the process that records."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from stat import S_ISDIR
from typing import Any, Final

from opentelemetry.sdk.resources import Resource

from synapse_otel import semconv
from synapse_otel._guard import contain
from synapse_otel.notices import say_once
from synapse_otel.redaction import redact_arguments, redact_values

_DETECTORS: Final = ("process", "host", "os")
_SEARCHED: Final = 32
_UNKNOWN: Final = "unknown_service"


def make_resource(attributes: Mapping[str, Any]) -> Resource:
    """Return ``attributes`` with what the standard variables and detectors say; a service name in those wins.

    An attribute that cannot be determined is reported once, and only that one is missing.
    """
    given = {key: value for key, value in attributes.items() if value is not None}
    with _in_brief():
        variables = _part("what the standard variables say", lambda: Resource.create().attributes)
    named = str(variables.get(semconv.SERVICE_NAME, ""))
    if named and not named.startswith(_UNKNOWN):
        given[semconv.SERVICE_NAME] = named
    found = {
        **_part("branch and revision", lambda: code_version(Path.cwd())),
        **_part("the command line", lambda: {semconv.PROCESS_COMMAND_ARGS: redact_arguments(sys.orig_argv)}),
        semconv.PROCESS_PID: os.getpid(),
    }
    for name in _DETECTORS:
        found |= _part(f"what the detector {name!r} finds", partial(_detected, name))
    merged = {**found, **variables, **given}
    return Resource({key: redact_values(_plain(value)) for key, value in merged.items()})


@contextmanager
def _in_brief() -> Iterator[None]:
    """Have the SDK say on one line, once, which detector there is not, or fails, and not show where in its code."""
    log = logging.getLogger("opentelemetry.sdk.resources")
    log.addFilter(_without_trace)
    try:
        yield
    finally:
        log.removeFilter(_without_trace)


def _without_trace(record: logging.LogRecord) -> bool:
    record.exc_info = record.exc_text = None
    line = record.getMessage()
    is_new = line not in _logged
    _logged.add(line)
    return is_new


_logged: Final[set[str]] = set()


def _part(what: str, find: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    try:
        return dict(find())
    except Exception as error:  # noqa: BLE001 - a working directory that is gone, a detector's failure: never the job's
        contain(error)
        say_once(f"the resource lacks {what}: {type(error).__name__}: {error}")
        return {}


def _detected(name: str) -> Mapping[str, Any]:
    """Return what one of the SDK's detectors finds; those of OTEL_EXPERIMENTAL_RESOURCE_DETECTORS have run already."""
    found = _detectors()
    return found[name].load()().detect().attributes if name in found.names else {}


@cache
def _detectors() -> EntryPoints:
    """Return the detectors that are installed: to look for them takes 8 ms, and a job needs them six times."""
    return entry_points(group="opentelemetry_resource_detector")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def code_version(folder: Path) -> dict[str, str]:
    """Return branch and revision of the git repository that a folder is in, if any, read from its files.

    Raises:
        OSError: they cannot be read.
    """
    for above in (folder, *folder.parents)[:_SEARCHED]:
        git = above / ".git"
        if _is_folder(git):
            return _head(git)
    return {}


def _is_folder(path: Path) -> bool:
    """Return whether there is such a folder; `Path.is_dir` also says no where it may not look, from Python 3.14 on."""
    try:
        return S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _head(git: Path) -> dict[str, str]:
    head = _text(git / "HEAD")
    if not head.startswith("ref: "):
        return {semconv.VCS_REVISION: head} if head else {}
    reference = head.removeprefix("ref: ")
    name = reference.removeprefix("refs/heads/")
    revision = _text(git / reference)
    if not revision:
        lines = _text(git / "packed-refs").splitlines()
        revision = next((line.split()[0] for line in lines if line.endswith(f" {reference}")), "")
    return {semconv.VCS_NAME: name} | ({semconv.VCS_REVISION: revision} if revision else {})


def _text(path: Path) -> str:
    """Return what a file of git's says, nothing if it is not there; names of references need not be UTF-8."""
    try:
        return os.fsdecode(path.read_bytes()).strip()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""
