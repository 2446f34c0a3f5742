"""The tables of settings, from the settings class itself."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args, get_origin

from pydantic import ByteSize, FilePath
from pydantic.fields import FieldInfo

from synapse_otel.otlp.destination import Endpoint
from synapse_otel.settings import DEFAULT_ENDPOINT, DEFAULT_GRPC_ENDPOINT, OtlpSettings, Settings, variables_of
from tools.docs.markdown import attribute_docs, code, table

OTLP_PREFIX: Final = "OTEL_EXPORTER_OTLP_"
OTHERS: Final = {
    "OTEL_SERVICE_NAME": "`service.name` of everything, instead of the plugin's name",
    "OTEL_RESOURCE_ATTRIBUTES": "attributes of the resource, such as `synapse.tenant`, `deployment.environment.name`",
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "which detectors look at the process and the host",
    "OTEL_TRACES_SAMPLER": "which spans are recorded; leave it alone: what samples a job away takes its progress along",
    "OTEL_TRACES_SAMPLER_ARG": "what the sampler needs to know",
    "OTEL_ATTRIBUTE_COUNT_LIMIT": "attributes of a span",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "characters of a span's attribute",
    "OTEL_SPAN_EVENT_COUNT_LIMIT": "events of a span",
    "OTEL_METRICS_EXEMPLAR_FILTER": "which measurements of other instrumentations lead to a trace",
    "OTEL_PROPAGATORS": "how the trace context goes along to other processes, besides W3C Trace Context",
    "OTEL_PYTHON_CONTEXT": "how OpenTelemetry keeps the current context",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "which instrumentations stay off: `synapse_sdk`, `requests`, `httpx`",
}
"""Variables that OpenTelemetry's SDK and launcher read where they are used beneath; ours look at the last alone."""
NOT_READ: Final = frozenset(
    {
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        "OTEL_EXPORTER_OTLP_SPAN_INSECURE",
        "OTEL_EXPORTER_OTLP_METRIC_INSECURE",
    }
)
"""Variables of the exporter's specification that change nothing; `docs/transports.md` says why."""
_DEFAULTS: Final = {
    "journal_dir": "`$XDG_STATE_HOME/synapse-otel`, else `~/.local/state/synapse-otel`",
    "endpoint": f"`{DEFAULT_ENDPOINT}`; gRPC: `{DEFAULT_GRPC_ENDPOINT}`",
    "insecure": "`false`",
    "compression": f"`{Endpoint(url=DEFAULT_ENDPOINT).compression}`",
    "timeout": f"`{Endpoint(url=DEFAULT_ENDPOINT).timeout_seconds * 1000:g}`",
    "protocol": "`http/protobuf`",
}
_TYPES: Final[dict[Any, str]] = {ByteSize: "a size: `512MiB`", FilePath: "path of a file", bool: "`true`, `false`"}
_KINDS: Final = {
    "endpoint": "an http:// or https:// address",
    "headers": "`key=value` pairs, commas between, values percent-encoded",
    "jaeger_url": "an http:// or https:// address",
    "journal_dir": "path of a folder",
    "redact_keys": "words, commas between",
    "traceparent": "W3C `traceparent`",
    "tracestate": "W3C `tracestate`",
    "job": "set by `child_environment()`",
    "watched_by": "set by `synapse-otel run`",
}
_OTLP_MEANINGS: Final = {
    "endpoint": "Where to; over HTTP the common one gets `/v1/logs`, `/v1/metrics`, `/v1/traces` added, a signal's own "
    "is taken as it is.",
    "protocol": "How.",
    "insecure": "Whether gRPC goes without TLS, where the endpoint has neither the scheme `http` nor `https`.",
    "headers": "Headers of every request, for authentication.",
    "compression": "Of a request's body.",
    "timeout": "For one request, in milliseconds, as the specification says; 0: no limit, which is an hour here.",
}


def variable(name: str) -> str:
    """Return the environment variable that names a field of `Settings`."""
    return variables_of(name)[-1]


def otlp_names() -> list[str]:
    """Return every variable of the exporter, each signal's own included."""
    prefixes = ("", "LOGS_", "METRICS_", "TRACES_")
    return [f"{OTLP_PREFIX}{signal}{name.upper()}" for signal in prefixes for name in OtlpSettings.model_fields]


def known_variables() -> set[str]:
    """Return every environment variable that is read, here or by the SDK beneath."""
    own = {found for name in Settings.model_fields for found in variables_of(name)}
    return own | set(otlp_names()) | set(OTHERS) | NOT_READ


def own_settings() -> str:
    """Return the fields of `Settings`."""
    docs = attribute_docs(Settings)
    fields = sorted(Settings.model_fields.items(), key=lambda item: item[0] in {"endpoint", "headers"})
    rows = [
        (
            "<br>".join(map(code, [*variables_of(name)[::-1], name])),
            _allowed(name, field),
            "" if name in {"endpoint", "headers"} else _default(name, field),
            docs.get(name, ""),
        )
        for name, field in fields
    ]
    return table(("variable, argument", "allowed", "default", "meaning"), rows)


def otlp_variables() -> str:
    """Return the exporter's variables."""
    docs = {**attribute_docs(Endpoint), **_OTLP_MEANINGS}
    rows = [
        (code(f"{OTLP_PREFIX}{name.upper()}"), _allowed(name, field), _DEFAULTS.get(name, ""), docs.get(name, ""))
        for name, field in OtlpSettings.model_fields.items()
    ]
    return table(("variable", "allowed", "default", "meaning"), rows)


def other_variables() -> str:
    """Return the variables that OpenTelemetry reads itself."""
    return table(("variable", "meaning"), [(code(name), meaning) for name, meaning in OTHERS.items()])


def _default(name: str, field: FieldInfo) -> str:
    if name in _DEFAULTS:
        return _DEFAULTS[name]
    value = field.default
    if isinstance(value, ByteSize):
        return code(value.human_readable().replace(".0", ""))
    if value is None or value == ():
        return ""
    return code(
        str(value).lower() if isinstance(value, bool) else f"{value:.10g}" if isinstance(value, float) else value
    )


def _allowed(name: str, field: FieldInfo) -> str:
    if name in _KINDS:
        return _KINDS[name]
    kinds = [kind for kind in (get_args(field.annotation) or (field.annotation,)) if kind is not type(None)]
    if get_origin(field.annotation) is Literal:
        return ", ".join(code(value) for value in get_args(field.annotation))
    for kind in kinds:
        if get_origin(kind) is Literal:
            return ", ".join(code(value) for value in get_args(kind))
        if kind in _TYPES:
            return _TYPES[kind]
    return _number(field)


def _number(field: FieldInfo) -> str:
    least = [f"{at} {limit}" for rule in field.metadata for at, limit in _limits(rule)]
    return f"a number, {', '.join(least)}" if least else "a number above 0"


def _limits(rule: Any) -> list[tuple[str, Any]]:
    found = []
    if (least := getattr(rule, "ge", None)) is not None:
        found.append(("at least", least))
    if (above := getattr(rule, "gt", None)) is not None:
        found.append(("above", above))
    return found
