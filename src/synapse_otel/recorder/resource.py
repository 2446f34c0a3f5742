"""The resource: what is known of the process that records."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

from opentelemetry.sdk.resources import Resource, ResourceDetector, get_aggregated_resources

from synapse_otel.contained import contain
from synapse_otel.redaction import redact_arguments, redact_values
from synapse_otel.signals import semconv

_DETECTORS: Final = ("process", "host", "os")
_SEARCHED: Final = 32
_UNKNOWN: Final = "unknown_service"


def make_resource(attributes: Mapping[str, Any]) -> Resource:
    """Return ``attributes`` with what the standard variables and detectors say; a service name in those wins."""
    given = {key: value for key, value in attributes.items() if value is not None}
    try:
        return _detected(given)
    except Exception as error:  # noqa: BLE001 - a detector's failure, or no file can be opened: never the job's
        contain(error)
        return Resource(given)


def _detected(given: dict[str, Any]) -> Resource:
    variables = Resource.create()
    named = str(variables.attributes.get(semconv.SERVICE_NAME, ""))
    if not named.startswith(_UNKNOWN):
        given[semconv.SERVICE_NAME] = named
    own = {**code_version(Path.cwd()), semconv.PROCESS_COMMAND_ARGS: redact_arguments(sys.orig_argv)}
    detected = get_aggregated_resources(_detectors(), Resource(own))
    merged = detected.merge(variables).merge(Resource(given))
    return Resource({key: redact_values(_plain(value)) for key, value in merged.attributes.items()}, merged.schema_url)


def _detectors() -> list[ResourceDetector]:
    """Return the SDK's own detectors; those that OTEL_EXPERIMENTAL_RESOURCE_DETECTORS names have run already."""
    found = entry_points(group="opentelemetry_resource_detector")
    return [found[name].load()() for name in _DETECTORS if name in found.names]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def code_version(folder: Path) -> dict[str, str]:
    """Return branch and revision of the git repository that a folder is in, if any, read from its files."""
    for above in (folder, *folder.parents)[:_SEARCHED]:
        git = above / ".git"
        if git.is_dir():
            try:
                return _head(git)
            except OSError:
                return {}
    return {}


def _head(git: Path) -> dict[str, str]:
    head = (git / "HEAD").read_text(encoding="utf-8").strip()
    if not head.startswith("ref: "):
        return {semconv.VCS_REVISION: head}
    reference = head.removeprefix("ref: ")
    name = reference.removeprefix("refs/heads/")
    loose = git / reference
    if loose.is_file():
        return {semconv.VCS_NAME: name, semconv.VCS_REVISION: loose.read_text(encoding="utf-8").strip()}
    packed = git / "packed-refs"
    lines = packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else []
    revision = next((line.split()[0] for line in lines if line.endswith(f" {reference}")), None)
    return {semconv.VCS_NAME: name} | ({semconv.VCS_REVISION: revision} if revision else {})
