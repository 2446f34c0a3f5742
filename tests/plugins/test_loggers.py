"""The template that every logger shares: recorded once, then shown; what a view does wrong stays with the view."""

from __future__ import annotations

import logging
import sys
from unittest import mock
from unittest.mock import MagicMock, Mock, patch

import pytest

from synapse_otel.journal.writer import JournalWriter
from synapse_otel.loggers import BackendLogger, BaseLogger, ConsoleLogger, JobLogger, NoOpLogger, TeeLogger, TqdmLogger
from synapse_otel.mapping import job as mapping
from synapse_otel.plugins.loggers import platform, track
from synapse_otel.plugins.models.logger import LogEntry, LogLevel
from synapse_otel.testing import recorded_job
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


# --- the SDK's names


def test_a_backend_logger_records_and_publishes(recorded):
    backend = MagicMock()
    ctx = context_of(recorded.job, BackendLogger(backend, "7"))
    ctx.log("saved", {"a": 1}, "x.pt", "warning")
    ctx.set_progress(1, 2, "train")
    ctx.set_metrics({"loss": 1.0}, "train")
    entry = backend.publish_log.call_args.args[1]
    assert (entry.event, entry.data, entry.file, entry.level) == ("saved", {"a": 1}, "x.pt", LogLevel.WARNING)
    assert [each[0] for each in backend.mock_calls] == ["publish_log", "publish_progress", "publish_metrics"]
    assert {each.args[0] for each in backend.mock_calls} == {"7"}
    assert backend.publish_progress.call_args.args[1].percent == 50
    assert backend.publish_metrics.call_args.args[1] == {"train": {"loss": 1.0}}
    assert (recorded.log().event_name, recorded.progress()["train"]) == ("saved", (1, 2))


def test_a_backend_that_fails_or_is_none_does_not_fail_the_job(recorded, caplog):
    backend = MagicMock()
    backend.publish_log.side_effect = OSError("gone")
    context_of(recorded.job, BackendLogger(backend, "7")).log("saved")
    context_of(recorded.job, BackendLogger(None, "7")).log("saved")
    assert len(recorded.logs()) == 2
    assert "BackendLogger cannot show everything" in caplog.text


def test_a_job_logger_shows_and_records_and_says_once_that_the_platform_hears_nothing(
    recorded, capsys, caplog, monkeypatch
):
    monkeypatch.setattr(platform, "_said", set())
    client = MagicMock()
    for _ in range(2):
        logger = JobLogger(client, "7", {"train": 100}, background_flush=False)
        logger.set_step_proportions({"train": 100}, orders={"train": 0})
    context_of(recorded.job, logger).log_message("hello")
    assert isinstance(logger, ConsoleLogger)
    assert "hello" in capsys.readouterr().out
    assert recorded.log().body == "hello"
    assert client.mock_calls == []
    assert [each.getMessage().partition(":")[0] for each in caplog.records] == [
        "JobLogger of synapse_otel shows and records, but sends nothing to the platform"
    ]


def test_bars_of_the_sdks_name_are_ours():
    assert issubclass(TqdmLogger, ConsoleLogger)


@pytest.mark.parametrize(
    "reports",
    [
        [(50, 100), (10, 100), (20, 100)],
        [(50, 100), (40, 100), (60, 100)],
        [(100, 100), (60, 100), (80, 100)],
        [(100, 100), (0, 100), (30, 100)],
        [(3, 10), (8, 10), (5, 10), (9, 20)],
    ],
)
def test_what_a_logger_says_of_progress_is_what_the_backend_is_told(synapse_job, reports, monkeypatch):
    now = [1_000.0]
    monkeypatch.setattr(track, "monotonic", lambda: now[0])
    monkeypatch.setattr(mapping, "time_ns", lambda: int(now[0] * 1e9))
    logger = NoOpLogger()
    for current, total in reports:
        logger.set_progress(current, total, "load")
        now[0] += 10
    now[0] -= 10
    (recorded,) = [slot.value() for slot in synapse_job.job.root._progress.values()]
    shown = logger.get_progress("load")
    assert shown is not None
    assert shown.time_remaining == (None if recorded.eta_seconds is None else round(recorded.eta_seconds, 2))


class Overrides(Hooked):
    """A logger that has methods of its own in place of the public ones, and records by calling ours."""

    def log(self, level, event, data=None, file=None, step=None, **older):
        super().log(level, f"own {event}" if event != "message" else event, data, file, step, **older)

    def set_progress(self, current, total, step=None, **older):
        super().set_progress(current * 2, total * 2, step, **older)

    def set_metrics(self, value, step=None, **older):
        super().set_metrics({f"own {name}": number for name, number in value.items()}, step, **older)


def test_a_method_that_a_logger_has_in_place_of_ours_is_called_and_records_once(recorded):
    ctx = context_of(recorded.job, Overrides())
    use_all(ctx)
    assert recorded.messages() == [("Hello", "warning", "train")]
    assert [record.event_name for record in recorded.logs()] == ["synapse.message", "own event"]
    assert recorded.progress() == {"c": (2, 8)}
    assert recorded.samples == [("c", "own loss", 1.0), ("c", "own accuracy", 2.0)]


def test_a_patched_method_of_a_logger_is_called_as_the_sdk_calls_it(recorded):
    ctx = context_of(recorded.job, NoOpLogger())
    with (
        patch.object(ctx.logger, "log", wraps=ctx.logger.log) as log,
        patch.object(ctx.logger, "set_progress") as progress,
        patch.object(NoOpLogger, "set_metrics") as metrics,
    ):
        use_all(ctx)
    assert log.call_args_list == [
        mock.call("warning", "message", {"content": "Hello"}, None, None),
        mock.call(LogLevel.INFO, "event", {"a": 1}, "/f", None),
    ]
    progress.assert_called_once_with(1, 4, "c")
    assert metrics.call_count == 2
    assert [record.event_name for record in recorded.logs()] == ["synapse.message", "event"]
    assert (recorded.progress(), recorded.samples) == ({}, [])  # the patches record nothing


def test_a_message_reaches_the_journal_through_at_most_five_functions():
    chains = []

    def watch(frame, event, argument):
        # With the compiled module, or where it is compared, the record is encoded and written by one function.
        is_called = event == "call" and frame.f_code.co_name == "append_brief"
        is_compiled = event == "c_call" and argument.__name__ == "append_brief"
        if is_called or is_compiled or (event == "call" and frame.f_code is JournalWriter.append.__code__):
            chain = ["append_brief"] if is_compiled else []
            while frame is not None and "synapse_otel" in frame.f_code.co_filename:
                chain.append(frame.f_code.co_name)
                frame = frame.f_back
            chains.append(chain[::-1])

    with recorded_job(logger=NoOpLogger()) as job:
        job.ctx.log_message("the first one makes the template")
        sys.setprofile(watch)
        try:
            job.ctx.log_message("x")
        finally:
            sys.setprofile(None)
    (chain,) = chains
    assert chain[0] == "log_message"
    assert chain[-1] in {"append", "append_brief"}
    assert len(chain) <= 5, chain
