"""Starts a job: checks its arguments, and maps them to its root span."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.context import Context

from synapse_otel import semconv
from synapse_otel.mapping.arguments import check_mapping, check_name
from synapse_otel.mapping.data import product_attributes
from synapse_otel.mapping.job import LIVE, Job, SetUp
from synapse_otel.mapping.values import readable
from synapse_otel.redaction import redact_text


@dataclass(frozen=True, kw_only=True, slots=True)
class JobSpec:
    """The arguments of `synapse_otel.job`.

    Raises:
        TypeError, ValueError: an argument is of the wrong type, or empty; the message names it.
    """

    action: str
    plugin: str
    version: str | None = None
    job_id: str | None = None
    category: str | None = None
    checkpoint: Mapping[str, Any] | None = None
    params: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Check every field."""
        check_name("action", self.action)
        check_name("plugin", self.plugin)
        for name in ("version", "job_id", "category"):
            if getattr(self, name) is not None:
                check_name(name, getattr(self, name))
        for name in ("checkpoint", "params"):
            if getattr(self, name) is not None:
                check_mapping(name, getattr(self, name))

    @property
    def run_name(self) -> str:
        """Name of the run that a process begins with the job."""
        return redact_text(f"{self.action}-{self.plugin}")


def start_job(
    spec: JobSpec, *, live_spans: str = "steps", parent: Context | None = None, set_up: SetUp | None = None
) -> Job:
    """Start a job: its root span ``{action} {plugin}`` is a child of the current span, else of the one in ``parent``.

    ``set_up`` sets up a process that receives the job.
    """
    common = {semconv.JOB_ID: spec.job_id, semconv.ACTION: spec.action, semconv.PLUGIN_NAME: spec.plugin}
    common = {key: value for key, value in common.items() if value is not None}
    job = Job(spec.job_id, spec.category or spec.action, common, live_spans)
    job.set_up = set_up
    attributes: dict[str, Any] = {**common, semconv.CATEGORY: job.category}
    if spec.version is not None:
        attributes[semconv.PLUGIN_VERSION] = spec.version
    checkpoint = spec.checkpoint or {}
    for key, name in (("category", semconv.CHECKPOINT_CATEGORY), ("path", semconv.CHECKPOINT_PATH)):
        if checkpoint.get(key) is not None:
            attributes[name] = str(readable(checkpoint[key]))
    attributes.update(product_attributes({"params": spec.params or {}}))
    LIVE[:] = [live for live in LIVE if live.is_own]  # not one that this process was handed, or forked off from
    job.start(f"{spec.action} {spec.plugin}", attributes, parent)
    return job
