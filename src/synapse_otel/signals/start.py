"""Starting a job: its arguments checked, and what they become on its root span."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context

from synapse_otel.signals import semconv
from synapse_otel.signals.active import LIVE
from synapse_otel.signals.arguments import check_mapping, check_name
from synapse_otel.signals.data import product_attributes
from synapse_otel.signals.job import Job, SetUp
from synapse_otel.signals.values import readable


def start_job(
    action: str,
    *,
    plugin: str,
    version: str | None = None,
    job_id: str | None = None,
    category: str | None = None,
    checkpoint: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    live_spans: str = "steps",
    parent: Context | None = None,
    set_up: SetUp | None = None,
) -> Job:
    """Start a job: its root span ``{action} {plugin}`` is a child of the current span, else of the one in ``parent``.

    ``set_up`` says how a process is set up that is handed the job.

    Raises:
        TypeError, ValueError: an argument is of the wrong type, or empty; the message names it.
    """
    check_job(
        {"action": action, "plugin": plugin},
        {"version": version, "job_id": job_id, "category": category},
        {"checkpoint": checkpoint, "params": params},
    )
    common = {semconv.JOB_ID: job_id, semconv.ACTION: action, semconv.PLUGIN_NAME: plugin}
    common = {key: value for key, value in common.items() if value is not None}
    job = Job(job_id, category or action, common, live_spans)
    job.set_up = set_up
    attributes: dict[str, Any] = {**common, semconv.CATEGORY: job.category}
    if version is not None:
        attributes[semconv.PLUGIN_VERSION] = version
    for key, name in (("category", semconv.CHECKPOINT_CATEGORY), ("path", semconv.CHECKPOINT_PATH)):
        if checkpoint and checkpoint.get(key) is not None:
            attributes[name] = str(readable(checkpoint[key]))
    attributes.update(product_attributes({"params": params or {}}))
    LIVE[:] = [root for root in LIVE if root.job.is_own]  # not one that this process was handed, or forked off from
    job.start(f"{action} {plugin}", attributes, parent)
    return job


def check_job(
    names: Mapping[str, object], optional_names: Mapping[str, object], mappings: Mapping[str, object]
) -> None:
    """Raise unless the arguments of a job are of the right types, and no name is empty."""
    for argument, value in names.items():
        check_name(argument, value)
    for argument, value in optional_names.items():
        if value is not None:
            check_name(argument, value)
    for argument, value in mappings.items():
        if value is not None:
            check_mapping(argument, value)
