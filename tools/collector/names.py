"""The names in the files of collector/ that must be those of the code, and the ones that are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from synapse_otel import semconv
from synapse_otel.semconv.prometheus import label, series

_KINDS: Final = {".yaml", ".md", ".json"}
_DOTTED: Final = re.compile(r"(?<![\w./])(?:synapse|otel\.sdk|otel\.component)\.[a-z0-9_]+(?:\.[a-z0-9_]+)*")
_UNDERSCORED: Final = re.compile(r"(?<![\w./])(?:synapse|otel_sdk|otel_component)_[a-z0-9_]+")
_RECORDED: Final = re.compile(r"(?<![\w:])(?:synapse|plugin|run):[a-z_]+(?::[a-z0-9_]+)?")
_RECORD: Final = re.compile(r"^\s*- record: (\S+)$", re.MULTILINE)


def written(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file of a folder with each name in it that looks like one of ours."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in _KINDS:
            text = path.read_text(encoding="utf-8")
            for pattern in (_DOTTED, _UNDERSCORED, _RECORDED):
                yield from ((path, name) for name in dict.fromkeys(pattern.findall(text)))


def known(folder: Path) -> set[str]:
    """Return every name of semconv, as OpenTelemetry and as Prometheus have it, and every recorded series."""
    metrics = (*semconv.METRICS, *semconv.SELF_METRICS, *semconv.USAGE_METRICS, *semconv.VERIFY_METRICS)
    dotted = {one.key for one in semconv.ATTRIBUTES} | {one.name for one in metrics}
    dotted |= {one.name for one in semconv.EVENTS}
    stored = {label(name) for name in dotted} | {name for one in metrics for name in series(one)}
    recorded = {name for path in folder.rglob("*.rules.yaml") for name in _RECORD.findall(path.read_text("utf-8"))}
    return dotted | stored | recorded | {semconv.SCOPE_NAME, semconv.SHIPPER_SCOPE_NAME}
