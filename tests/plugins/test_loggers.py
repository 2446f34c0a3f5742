"""The template that every logger shares: recorded once, then shown; what a view does wrong stays with the view."""

from __future__ import annotations

import logging
from unittest.mock import MagicMock, Mock

import pytest

from synapse_otel.loggers import BaseLogger, NoOpLogger, TeeLogger
from synapse_otel.plugins.models.logger import LogEntry, LogLevel
from tests.plugins.recording import context_of


class Hooked(BaseLogger):
    """A logger as a plugin's author writes it for the SDK."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = []

    def _log_impl(self, event, data, file, step, level=None):
        self.seen.append(("log", event, data, file, step, level))

    def _on_progress(self, progress, step):
        self.seen.append(("progress", progress.percent, progress.status, step))

    def _on_metrics(self, step, metrics):
        self.seen.append(("metrics", step, dict(metrics)))

    def _on_finish(self):
        self.seen.append(("finish",))


class Broken(Hooked):
    """Every hook fails."""

    def _log_impl(self, *_arguments):
        raise OSError("no log")

    _on_progress = _on_metrics = _on_finish = _log_impl


def use_all(ctx):
    ctx.log_message("Hello", "warning")
    ctx.log("event", {"a": 1}, "/f")
    ctx.set_progress(1, 4, "c")
    ctx.set_metrics({"loss": 1.0}, "c")
    ctx.set_metrics({"accuracy": 2.0}, "c")


SEEN = [
    ("log", "message", {"content": "Hello"}, None, None, LogLevel.WARNING),
    ("log", "event", {"a": 1}, "/f", None, LogLevel.INFO),
    ("progress", 25.0, "running", "c"),
    ("metrics", "c", {"loss": 1.0}),
    ("metrics", "c", {"loss": 1.0, "accuracy": 2.0}),
]


def recorded_once(recorded):
    assert [record.event_name for record in recorded.logs()] == ["synapse.message", "event"]
    assert recorded.progress() == {"c": (1, 4)}
    assert recorded.samples == [("c", "loss", 1.0), ("c", "accuracy", 2.0)]


def test_the_hooks_of_an_own_logger_are_called(recorded):
    logger = Hooked()
    use_all(context_of(recorded.job, logger))
    assert logger.seen == SEEN
    recorded_once(recorded)
    assert logger.get_metrics("c") == {"loss": 1.0, "accuracy": 2.0}
    assert logger.get_metrics() == {"c": {"loss": 1.0, "accuracy": 2.0}}
    assert logger.get_progress("c").percent == 25
    assert logger.get_progress("unknown") is None


def test_a_tee_shows_on_all_and_records_once(recorded):
    first, second = Hooked(), Hooked()
    tee = TeeLogger(first, Broken(), second)
    use_all(context_of(recorded.job, tee))
    tee.finish()
    assert first.seen == second.seen == [*SEEN, ("finish",)]
    recorded_once(recorded)
    with pytest.raises(RuntimeError):
        first.info("more")


def test_views_of_a_tee_cannot_change_each_others_data(recorded):
    class Greedy(Hooked):
        def _log_impl(self, event, data, file, step, level=None):
            data.clear()

    last = Hooked()
    context_of(recorded.job, TeeLogger(Greedy(), last)).log("event", {"a": 1})
    assert last.seen[0][2] == {"a": 1}


def test_a_hook_that_fails_is_said_once_and_does_not_fail_the_job(recorded, caplog):
    logger = Broken()
    with caplog.at_level(logging.WARNING):
        use_all(context_of(recorded.job, logger))
        logger.finish()
    recorded_once(recorded)
    (said,) = caplog.records
    assert "Broken cannot show everything" in said.message
    assert "no log" in said.message


@pytest.mark.parametrize(
    ("method", "word"), [("info", "info"), ("warning", "warning"), ("error", "error"), ("critical", "critical")]
)
def test_messages_through_the_logger(recorded, method, word):
    getattr(NoOpLogger(), method)("Hello")
    assert recorded.messages() == [("Hello", word, "train")]


def test_debug_is_for_developers(recorded):
    NoOpLogger().debug("Look")
    assert (recorded.log().event_name, recorded.log().body) == ("synapse.dev_event", "Look")


def test_the_other_ways_through_the_logger(recorded):
    logger = NoOpLogger()
    logger.log_message("a", LogLevel.DANGER)
    logger.log_message("b", context="success")
    logger.log_event("mine", {"x": 1})
    logger.log_metric("train", "loss", 0.5)
    logger.set_progress(1, 2, category="c")
    logger.set_progress_failed("c")
    assert [message[:2] for message in recorded.messages()] == [
        ("a", "danger"),
        ("b", "success"),
        ("Progress of c failed", "danger"),
    ]
    assert recorded.samples == [("train", "loss", 0.5)]
    assert logger.get_progress("c").status == "failed"


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("message", {"text": "no content"}),
        ("message", {"content": "c", "more": 1}),
        ("dev_event", {"message": "m", "data": None, "more": 1}),
    ],
)
def test_data_beyond_the_form_of_a_message_is_kept_as_an_event(recorded, event, data):
    NoOpLogger().log(LogLevel.INFO, event, data)
    record = recorded.log()
    assert record.event_name == event
    kept = {key for key, value in data.items() if value is not None}
    assert kept <= {key.removeprefix("synapse.data.") for key in record.attributes}


def test_the_step_that_the_logger_is_told(recorded):
    logger = NoOpLogger()
    logger.set_step("load", order=2)
    assert (logger.get_step(), logger.get_step_order()) == ("load", 2)
    logger.set_progress(1, 2)
    logger.set_metrics({"a": 1})
    logger.info("in load")
    logger.set_step(None)
    logger.info("outside")
    assert recorded.progress() == {"load": (1, 2)}
    assert recorded.samples == [("load", "a", 1)]
    assert [message[2] for message in recorded.messages()] == ["load", "train"]
    assert logger.get_step_order() is None


def test_a_finished_logger_takes_no_more(ctx):
    ctx.logger.finish()
    for call in (
        lambda: ctx.log_message("m"),
        lambda: ctx.set_progress(1, 2),
        lambda: ctx.set_metrics({"a": 1}, "c"),
        lambda: ctx.log_metric("c", "a", 1),
        ctx.logger.set_progress_failed,
    ):
        with pytest.raises(RuntimeError, match="finished"):
            call()


def test_a_mock_as_logger_is_told_everything_and_all_is_recorded(recorded):
    logger = MagicMock()
    use_all(context_of(recorded.job, logger))
    logger.log.assert_any_call(LogLevel.WARNING, "message", {"content": "Hello"}, None, step=None)
    logger.set_progress.assert_called_once_with(1, 4, "c")
    logger.set_metrics.assert_called_with({"accuracy": 2.0}, "c")
    recorded_once(recorded)


def test_a_proxy_of_our_logger_records_once(recorded):
    class Proxy:
        def __init__(self, inner):
            self._inner = inner

        def __getattr__(self, name):
            return getattr(self._inner, name)

    inner = Hooked()
    ctx = context_of(recorded.job, NoOpLogger())
    ctx.logger = Proxy(inner)
    use_all(ctx)
    assert inner.seen == SEEN
    recorded_once(recorded)


def test_a_foreign_logger_in_a_step_does_not_take_the_whole_for_it(recorded):
    logger = Mock()
    logger.get_step.return_value = "load"
    ctx = context_of(recorded.job, logger)
    ctx.set_progress(10, 100)
    logger.set_progress.assert_not_called()
    assert recorded.progress() == {"": (10, 100)}


def test_an_entry_as_data():
    entry = LogEntry("e", {"a": 1}, timestamp=5.0, level=LogLevel.INFO)
    assert entry.to_dict() == {
        "event": "e", "data": {"a": 1}, "timestamp": 5.0, "file": None, "step": None, "level": "info",
    }  # fmt: skip
    assert LogEntry("e", {}, language="ko").to_dict()["language"] == "ko"
