"""A call of the context API: it is recorded in a span, then shown by a view; neither knows of the other.

Arguments are checked by the span's methods, before anything is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from synapse_otel.plugins.loggers.record import EVENT_RECORDERS
from synapse_otel.plugins.models.logger import LogLevel

if TYPE_CHECKING:
    import os

    from synapse_otel.mapping.job import WorkSpan
    from synapse_otel.plugins.loggers.view import View
    from synapse_otel.plugins.models.logger import MessageLogData


def log_event(  # noqa: PLR0917 - positions, as in the Synapse SDK
    span: WorkSpan,
    view: View,
    level: LogLevel | str,
    event: str,
    data: Mapping[str, Any] | None,
    file: str | os.PathLike[str] | None,
    category: str | None,
) -> None:
    """Record and show an event; a message or developer event in the form of the Synapse SDK is recorded as such."""
    if view.is_finished:
        raise finished(event)
    if category is None and view.explicit_step is not None:
        category = view.step_set_in(span)
    recorder = EVENT_RECORDERS.get(event) if file is None and type(event) is str else None
    if recorder is None or not recorder(span, level, data, category):
        span.event(event, data, file, category, level)
    if view.shows_events:
        try:
            view.show_event(event, data, file, span.name if category is None else category, level)
        except Exception as error:  # noqa: BLE001 - contained: a view must not fail the job
            view.contain(error)


def log_message(  # noqa: PLR0917 - as above
    span: WorkSpan, view: View, message: str, level: LogLevel | str, category: str | None, code: str | None
) -> None:
    """Record and show a message for the job's user."""
    if view.is_finished:
        raise finished("message")
    if category is None and view.explicit_step is not None:
        category = view.step_set_in(span)
    span.message(message, level, category, code)
    if view.shows_events:
        shown = span.name if category is None else category
        try:
            view.show_event("message", message_data(message, code), None, shown, level)
        except Exception as error:  # noqa: BLE001 - contained: a view must not fail the job
            view.contain(error)


def set_progress(span: WorkSpan, view: View, current: float, total: float, category: str | None) -> None:
    """Record and show how far a category has come."""
    if view.is_finished:
        raise finished("progress")
    if category is None and view.explicit_step is not None:
        category = view.step_set_in(span)
    span.progress(current, total, category)
    try:
        view.show_progress(current, total, span.name if category is None else category)
    except Exception as error:  # noqa: BLE001 - contained: a view must not fail the job
        view.contain(error)


def set_metrics(span: WorkSpan, view: View, value: Mapping[str, Any], category: str | None) -> None:
    """Record and show values of a category.

    Raises:
        ValueError: there is no category: none is given, no step is current, and the job has none.
    """
    if view.is_finished:
        raise finished("metrics")
    if category is None:
        category = span.category if view.explicit_step is None else view.step_set_in(span) or span.category
        if category is None:
            msg = f"category must be given outside of a step, got None with value={value!r}"
            raise ValueError(msg)
    span.metrics(value, category)
    try:
        view.show_metrics(value, category)
    except Exception as error:  # noqa: BLE001 - contained: a view must not fail the job
        view.contain(error)


def set_progress_failed(span: WorkSpan, view: View, category: str | None) -> None:
    """Record, as a message, and show that the work of a category has failed."""
    if view.is_finished:
        raise finished("progress")
    if category is None:
        category = span.name if view.explicit_step is None else view.step_set_in(span) or span.name
    text = "Progress failed" if category is None else f"Progress of {category} failed"
    span.message(text, LogLevel.DANGER, category)
    try:
        view.show_failed(category)
    except Exception as error:  # noqa: BLE001 - contained: a view must not fail the job
        view.contain(error)


def log_metric(span: WorkSpan, view: View, category: str, key: str, value: float, others: Mapping[str, Any]) -> None:  # noqa: PLR0917 - as above
    """Record a value and others as a sample of each, and show them as an event."""
    if view.is_finished:
        raise finished("metric")
    span.metrics({key: value, **others}, category)
    shown = {"category": category, "key": key, "value": value, "metrics": others}
    try:
        view.show_event("metric", shown, None, category, LogLevel.INFO)
    except Exception as error:  # noqa: BLE001 - contained: a view must not fail the job
        view.contain(error)


def message_data(content: str, code: str | None = None) -> MessageLogData:
    """Return a message in the form in which a logger of the Synapse SDK is given it."""
    return {"content": content} if code is None else {"content": content, "key": code}


def finished(what: object) -> RuntimeError:
    """Return the error of a call to a logger that has been finished."""
    return RuntimeError(f"this logger is finished and accepts no more calls: {what!r}")
