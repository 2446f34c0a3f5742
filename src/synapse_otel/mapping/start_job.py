"""Starts a job: checks its arguments, and maps them to its root span."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.context import Context

from synapse_otel import semconv
from synapse_otel._text import cut, one_line
from synapse_otel.mapping.arguments import LABEL_LIMIT, check_mapping, check_name, label, labels
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
    name: str | None = None
    tags: Iterable[str] = ()
    notes: str | None = None
    trial: str | None = None
    """Id of the trial that the job is, in a search for hyperparameters."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_name("action", self.action)
        check_name("plugin", self.plugin)
        for name in ("version", "job_id", "category", "notes", "trial"):
            if getattr(self, name) is not None:
                check_name(name, getattr(self, name))
        for name in ("checkpoint", "params"):
            if getattr(self, name) is not None:
                check_mapping(name, getattr(self, name))
        if self.name is not None:
            object.__setattr__(self, "name", label("name", self.name))
        object.__setattr__(self, "tags", labels("tags", self.tags))

    @property
    def run_name(self) -> str:
        """Name of the run that a process begins with the job: the given one, else that of the kind of job."""
        return self.name or self.kind

    @property
    def kind(self) -> str:
        """What all runs of the plugin's action are called; a number tells them apart."""
        return one_line(redact_text(f"{self.action}-{self.plugin}"), LABEL_LIMIT)

    @property
    def labels(self) -> dict[str, Any]:
        """What the run is called, as attributes of the resource."""
        found = {semconv.RUN_NAME: self.name, semconv.RUN_TAGS: list(self.tags) or None}
        return {key: value for key, value in found.items() if value is not None}


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
    job.run_name = spec.run_name
    attributes: dict[str, Any] = {**common, semconv.CATEGORY: job.category, **spec.labels}
    if spec.notes is not None:
        attributes[semconv.RUN_NOTES] = cut(redact_text(spec.notes))
    if spec.trial is not None:
        attributes[semconv.TRIAL_ID] = spec.trial
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
