"""The generated blocks, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from synapse_otel import _text, semconv
from synapse_otel.journal import folder, frames, usage
from synapse_otel.journal import state_block as state
from synapse_otel.mapping import job, metric_series, values
from synapse_otel.mapping.levels import LEVELS
from synapse_otel.semconv import event_budget, exceptions
from synapse_otel.semconv.prometheus import label, series
from synapse_otel.semconv.readings import SlotKind
from tools.docs import api, commands
from tools.docs.markdown import attribute_docs, code, constant_docs, literal_block, prose, table
from tools.docs.secrets import secrets
from tools.docs.settings import other_variables, otlp_variables, own_settings
from tools.grafana import page as dashboards


def attributes() -> str:
    """Return every attribute."""
    rows = [
        (
            "<br>".join(code(name) for name in (one.key, label(one.key))[: 1 if "*" in one.key else 2]),
            one.type,
            one.on,
            one.description,
        )
        for one in semconv.ATTRIBUTES
    ]
    return table(("attribute, its field in VictoriaLogs and its label in Prometheus", "type", "on", "meaning"), rows)


def metrics() -> str:
    """Return every metric of jobs."""
    return _metrics(semconv.METRICS)


def self_metrics() -> str:
    """Return every metric of the shipper itself."""
    return _metrics(semconv.SELF_METRICS)


def usage_metrics() -> str:
    """Return every metric of what jobs use."""
    return _metrics(semconv.USAGE_METRICS)


def verify_metrics() -> str:
    """Return every metric of the file that `verify` writes."""
    return _metrics(semconv.VERIFY_METRICS)


def _metrics(found: Iterable[semconv.Metric]) -> str:
    rows = [
        (
            "<br>".join(code(name) for name in (one.name, *series(one))),
            one.instrument + (f", {code(one.unit)}" if one.unit else ""),
            one.description,
            ", ".join(code(name) for name in one.attributes if name not in ON_ALL),
        )
        for one in found
    ]
    return table(("metric, its series in Prometheus", "instrument, unit", "meaning", "attributes"), rows)


ON_ALL: Final = frozenset({"synapse.plugin.name", "synapse.action"})
"""Attributes of each metric of jobs, which its row does not repeat."""


def events() -> str:
    """Return every event."""
    rows = [(code(one.name), one.severity, one.description) for one in semconv.EVENTS]
    return table(("event name", "severity", "meaning"), rows)


def limits() -> str:
    """Return the limits of what is recorded."""
    rows = [
        (f"{getattr(module, name):,}", said.replace("semconv.OTHER", semconv.OTHER))
        for module, names in _LIMITS
        for name, said in constant_docs(module).items()
        if name in names
    ]
    first, last, important = event_budget.FIRST, event_budget.LAST, event_budget.IMPORTANT
    kinds_of_events = f"the first {first}, the last {last}, and {important} more warnings and errors"
    rows.append((f"{first + last + important}", f"Events of a span: {kinds_of_events}."))
    return table(("limit", "of what"), rows)


_LIMITS: Final[tuple[tuple[Any, frozenset[str]], ...]] = (
    (_text, frozenset({"TEXT_LIMIT"})),
    (values, frozenset(name for name in vars(values) if name.endswith("_LIMIT")) - {"TEXT_LIMIT"}),
    (state, frozenset({"TEXT_LIMIT"})),
    (exceptions, frozenset({"STACK_LIMIT"})),
    (metric_series, frozenset({"SERIES_LIMIT"})),
    (job, frozenset({"CATEGORY_LIMIT", "EVENT_NAME_LIMIT"})),
)


def levels() -> str:
    """Return the severities of message contexts and log levels."""
    rows = [
        (code(one.word), one.severity.name, str(one.severity.value), code(one.text), "yes" if one.important else "")
        for one in LEVELS.values()
    ]
    return table(("word", "severity", "number", "text", "always room among span events"), rows)


def kinds() -> str:
    """Return the kinds of frames."""
    rows = [(str(kind.value), code(kind.name), _signal(kind), _structure(kind)) for kind in frames.Kind]
    return table(("kind", "name", "holds records of", "payload"), rows)


def _signal(kind: frames.Kind) -> str:
    signal = frames.SIGNAL_OF.get(kind)
    return f"{signal.name.lower()} ({signal.value})" if signal is not None else ""


def _structure(kind: frames.Kind) -> str:
    structure = frames.STRUCTURES.get(kind)
    return code(structure.__name__) if structure is not None else "an OTLP `ResourceMetrics` message, see below"


def structures() -> str:
    """Return the fields of every payload, by their place in the array."""
    return _fields([*dict.fromkeys(frames.STRUCTURES.values()), frames.SpanEvent, frames.Link])


def _fields(found: Iterable[Any]) -> str:
    parts = []
    for structure in found:
        docs = attribute_docs(structure)
        fields = zip(structure.__struct_fields__, structure.__annotations__.values(), strict=True)
        rows = [(str(at), code(name), code(kind), docs.get(name, "")) for at, (name, kind) in enumerate(fields)]
        parts += [f"`{structure.__name__}`: {prose(structure.__doc__)}", table(("place", "field", "type", ""), rows)]
    return "\n\n".join(parts)


def usage_frames() -> str:
    """Return the kinds of frames in the file of samples, and their fields."""
    found = {usage.UsageKind.SOURCE: usage.UsageSource, usage.UsageKind.SAMPLE: usage.UsageSample}
    found |= {usage.UsageKind.OOM_KILL: usage.OomKill}
    rows = [(str(kind.value), code(kind.name), code(structure.__name__)) for kind, structure in found.items()]
    fields = _fields([*found.values(), usage.Gpu, usage.GpuSample])
    return "\n\n".join([table(("kind", "name", "payload"), rows), fields])


def slots() -> str:
    """Return the kinds of slots of the state block."""
    texts = {"PROGRESS": "category", "MESSAGES": "message context", "EVENTS": "event name"}
    rows = [(str(kind.value), code(kind.name), texts.get(kind.name, "category")) for kind in SlotKind]
    return table(("kind", "name", "text"), rows)


GENERATORS: Final[dict[str, Callable[[], str]]] = {
    **api.sections(),
    "attributes": attributes,
    "commands": commands.overview,
    "events": events,
    "exit-codes": commands.exit_codes,
    "frame-header": lambda: literal_block(frames),
    "frame-kinds": kinds,
    "frame-payloads": structures,
    "journal-folder": lambda: literal_block(folder),
    "levels": levels,
    "limits": limits,
    "metrics": metrics,
    "self-metrics": self_metrics,
    "otlp-variables": otlp_variables,
    "other-variables": other_variables,
    "secrets": secrets,
    "settings": own_settings,
    "slot-kinds": slots,
    "slot-layout": lambda: literal_block(state),
    "usage-frames": usage_frames,
    "usage-metrics": usage_metrics,
    "verify-metrics": verify_metrics,
    **dashboards.blocks(),
    **{f"options-{name}": partial(commands.options, name) for name in commands.COMMANDS},
}
