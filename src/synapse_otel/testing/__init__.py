"""What authors of plugins test with: a real `RuntimeContext` in a job of its own, and everything that it recorded.

With pytest there is nothing to import or configure: the fixtures `synapse_job` and `fixed_synapse_job` are there when
synapse-otel is installed. Elsewhere, `recorded_job` is a context manager that gives the same::

    from synapse_otel.testing import recorded_job

    with recorded_job("train", plugin="yolo") as job:
        train(job.ctx)
    assert job.result == "success"

It uses the real way of everything that is recorded, providers and journal included, in a temporary folder that is
deleted at the end of the job, and no network. Failures of telemetry that a job would never notice are raised.
OpenTelemetry's providers can be set once per process: they are set by the first job and then used by all. Where
something else has set its own before, `recorded_job` says so and raises.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from synapse_otel.testing.recorded import RecordedJob, TelemetryError, recorded_job

__all__ = ["RecordedJob", "TelemetryError", "recorded_job"]

pytest_plugins: Final[tuple[str, ...]] = ("synapse_otel.testing.fixtures",)
"""Read by pytest, which loads this module in every test run: hence it imports nothing that is not needed there."""


if not TYPE_CHECKING:  # a type checker would take any name for one of ours

    def __getattr__(name: str) -> Any:
        """Load a public name when it is first used; `dir` has none of them, as pytest takes all that stands there."""
        if name not in __all__:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        return getattr(import_module("synapse_otel.testing.recorded"), name)
