"""A plugin of pytest for the OpenTelemetry SDK's own tests of spans: the tracer providers that they make are ours.

With ``ALWAYS_OURS`` set, spans are ours in spite of processors, which hear of each span's end alone.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # before the SDK's tests, which are a package of the same name as ours

from kept_frames import Frames
from opentelemetry.sdk import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from synapse_otel.sdk.spans import JournalSpan
from synapse_otel.sdk.tracers import JournalTracerProvider, Processors

ALWAYS_OURS = bool(os.environ.get("ALWAYS_OURS"))
BEGUN: list[JournalSpan] = []


class Ours(JournalTracerProvider):
    """Our provider, to be made as the SDK's is."""

    def __new__(cls, *arguments: Any, active_span_processor: Any = None, **given: Any) -> Any:
        if active_span_processor is None:
            return super().__new__(cls)
        return TracerProvider(*arguments, active_span_processor=active_span_processor, **given)

    def __init__(self, sampler: Any = None, resource: Any = None, **given: Any) -> None:
        ids, limits = given.pop("id_generator", None), given.pop("span_limits", None)
        given = {"sampler": sampler, "shutdown_on_exit": True, **given}
        super().__init__(Frames(), resource or Resource.create({}), ids, limits, **given)


class _Unheard(list):
    """Processors whose being there does not make spans the SDK's."""

    def __bool__(self) -> bool:
        return not ALWAYS_OURS and len(self) > 0


_begin_processors = Processors.__init__


def _unheard(processors: Processors, ours: Any) -> None:
    _begin_processors(processors, ours)
    processors.added = _Unheard()


Processors.__init__ = _unheard


def pytest_runtest_setup(item: Any) -> None:
    trace.TracerProvider = Ours  # again, as some of the tests load its module again
    if hasattr(item.module, "TracerProvider"):
        item.module.TracerProvider = Ours


_begin = JournalSpan.__init__


def _counted(span: JournalSpan, *arguments: Any) -> None:
    BEGUN.append(span)
    _begin(span, *arguments)


JournalSpan.__init__ = _counted


def pytest_sessionfinish() -> None:
    print(f"\nspans of ours: {len(BEGUN)}")
