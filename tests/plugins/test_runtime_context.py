"""Every line of the documented interface, in both spellings, ends in what OpenTelemetry gets."""

from __future__ import annotations

import pickle
from enum import Enum

import pytest

from synapse_otel._text import iso_time
from synapse_otel.loggers import ConsoleLogger, NoOpLogger
from synapse_otel.plugins.context import PluginEnvironment, RuntimeContext
from synapse_otel.plugins.log_messages import LogMessageCode, register_log_messages
from synapse_otel.plugins.models.logger import LogLevel


def test_progress_of_the_job_and_of_categories(ctx, recorded):
    ctx.set_progress(current=50, total=100)
    ctx.set_progress(5, 10, category="download")
    ctx.set_progress(3, 100, "training")
    ctx.set_progress(7, 8, step="newer")
    assert recorded.progress() == {"": (50, 100), "download": (5, 10), "training": (3, 100), "newer": (7, 8)}


def test_metrics_in_both_spellings(ctx, recorded):
    ctx.set_metrics(value={"loss": 0.05, "accuracy": 0.95}, category="training")
    ctx.set_metrics({"loss": 0.04}, "training")
    ctx.set_metrics({"map": {"50": 0.5}}, step="val")
    assert recorded.samples == [
        ("training", "loss", 0.05),
        ("training", "accuracy", 0.95),
        ("training", "loss", 0.04),
        ("val", "map.50", 0.5),
    ]


@pytest.mark.parametrize("step", [7, 7.5])
def test_a_number_as_the_step_of_metrics_is_told_what_to_write(ctx, recorded, step):
    for called in (ctx.set_metrics, ctx.logger.set_metrics):
        with pytest.raises(
            TypeError, match=rf"got the number {step}: write set_metrics\(\{{\.\.\., 'step': {step}\}}\)"
        ):
            called({"loss": 0.5}, step=step)
    assert recorded.samples == []


def test_an_event_with_data_and_file(ctx, recorded, tmp_path):
    file = tmp_path / "weights.pt"
    file.write_bytes(b"1234")
    ctx.log("checkpoint", {"epoch": 5}, str(file), level=LogLevel.SUCCESS, category="train")
    record = recorded.log()
    assert record.event_name == "checkpoint"
    assert record.attributes["synapse.data.epoch"] == 5
    assert record.attributes["file.path"] == str(file)
    assert record.attributes["file.size"] == 4
    assert record.attributes["file.modified"] == iso_time(file.stat().st_mtime_ns)
    assert "file.directory" not in record.attributes
    assert record.attributes["synapse.category"] == "train"
    assert record.severity_number.name == "INFO2"


def test_a_relative_path_is_recorded_with_what_it_is_relative_to(ctx, recorded, tmp_path, monkeypatch):
    place = tmp_path / "gone"
    place.mkdir()
    monkeypatch.chdir(place)
    ctx.log("before", file="../a.png")
    place.rmdir()
    ctx.log("after", file="a.png")
    before, after = recorded.logs()
    assert (before.attributes["file.path"], before.attributes["file.directory"]) == ("../a.png", str(place))
    assert {key for key in after.attributes if key.startswith("file.")} == {"file.path"}


class Foreign(Enum):
    """An enum of another library with the same words."""

    WARN = "warning"


@pytest.mark.parametrize(
    ("positional", "named", "word"),
    [
        ((), {}, "info"),
        (("success",), {}, "success"),
        (("danger",), {}, "danger"),
        ((LogLevel.WARNING,), {}, "warning"),
        ((Foreign.WARN,), {}, "warning"),
        ((), {"context": "danger"}, "danger"),
        ((), {"level": LogLevel.ERROR}, "error"),
        ((), {"level": "critical"}, "critical"),
        (("danger",), {"level": LogLevel.DANGER}, "danger"),
    ],
)
def test_how_a_message_is_meant(ctx, recorded, positional, named, word):
    ctx.log_message("Hello", *positional, **named)
    assert recorded.messages() == [("Hello", word, "train")]


def test_a_developer_event_is_no_message(ctx, recorded):
    ctx.log_dev_event("Debug info", {"data": "value"})
    record = recorded.log()
    assert (record.event_name, record.body) == ("synapse.dev_event", "Debug info")
    assert record.attributes["synapse.audience"] == "developer"
    assert record.attributes["synapse.data.data"] == "value"


def test_end_log_says_so_and_flushes(ctx, recorded):
    ctx.end_log()
    (message,) = recorded.messages()
    assert message[0] == "The plugin has run to its end."
    assert recorded.log().attributes["synapse.message.code"] == "PLUGIN_RUN_COMPLETE"
    assert recorded.flushed == [True]


def test_metric_visualization_and_trials(ctx, recorded):
    ctx.log_metric("train", "loss", 0.5, accuracy=0.9)
    ctx.log_visualization("val", "predictions", 3, "/tmp/p.png", caption="cat")
    ctx.log_trials(trials={"t1": {"loss": 0.1}}, metrics=["loss"], best_trial="t1")
    assert recorded.samples == [("train", "loss", 0.5), ("train", "accuracy", 0.9)]
    image, trials = recorded.logs()
    assert (image.event_name, image.attributes["file.path"]) == ("visualization", "/tmp/p.png")
    assert (image.attributes["synapse.data.group"], image.attributes["synapse.data.caption"]) == ("predictions", "cat")
    assert trials.attributes["synapse.data.trials.t1.loss"] == 0.1
    assert trials.attributes["synapse.data.best_trial"] == "t1"


class Code(LogMessageCode):
    """Codes of a plugin."""

    DONE = ("DONE", LogLevel.SUCCESS)
    UNKNOWN = ("UNKNOWN_TEXT", LogLevel.WARNING)


register_log_messages({Code.DONE: {"en": "{n} done", "ko": "{n} 완료"}})


class Localized:
    """A message object of another library."""

    def format(self, language: str, fallback: str, **arguments: object) -> str:
        return f"{language}/{fallback}/{arguments}"


@pytest.mark.parametrize(
    ("message", "arguments", "text"),
    [
        ("{n} files", {"n": 3}, "3 files"),
        ("{literal}", {}, "{literal}"),
        ({"en": "{n} files", "ko": "{n}개"}, {"n": 3}, "3개"),
        ({"de": "nur hier"}, {}, "nur hier"),
        ({"en": "{n} files", "ko": "{n}개"}, {"n": 3, "language": "en"}, "3 files"),
        (Localized(), {"n": 1}, "ko/en/{'n': 1}"),
        (Code.DONE, {"n": 2}, "2 완료"),
        (Code.UNKNOWN, {}, "UNKNOWN_TEXT"),
    ],
)
def test_a_message_in_the_users_language(ctx, recorded, message, arguments, text):
    ctx.language = "ko"
    ctx.log_message(message, **arguments)
    assert recorded.messages()[0][0] == text


def test_the_language_of_the_environment(ctx, recorded):
    ctx.env = PluginEnvironment({"SYNAPSE_LANGUAGE": "ko"})
    ctx.log_message({"en": "yes", "ko": "네"})
    assert recorded.messages()[0][0] == "네"


def test_a_code_brings_its_own_level(ctx, recorded):
    ctx.log_message(Code.DONE, "danger", n=1)
    assert recorded.messages()[0][1] == "success"
    assert recorded.log().attributes["synapse.message.code"] == "DONE"


@pytest.mark.parametrize(
    ("call", "error", "naming"),
    [
        (lambda ctx: ctx.set_progress(1, 0), ValueError, ["total", "0"]),
        (lambda ctx: ctx.set_progress(11, 10), ValueError, ["current", "11"]),
        (lambda ctx: ctx.set_progress(-1, 10), ValueError, ["current", "-1"]),
        (lambda ctx: ctx.set_progress("1", 10), TypeError, ["current", "'1'"]),
        (lambda ctx: ctx.set_progress(float("nan"), 10), ValueError, ["current", "nan"]),
        (lambda ctx: ctx.set_progress(1, 2, ""), ValueError, ["category", "''"]),
        (lambda ctx: ctx.set_progress(1, 2, category="a", step="b"), TypeError, ["category='a'", "step='b'"]),
        (lambda ctx: ctx.set_metrics([1], "c"), TypeError, ["value", "[1]"]),
        (lambda ctx: ctx.set_metrics({"a": 1}, ""), ValueError, ["category", "''"]),
        (lambda ctx: ctx.log("e", ["x"]), TypeError, ["data", "['x']"]),
        (lambda ctx: ctx.log("", {}), ValueError, ["event", "''"]),
        (lambda ctx: ctx.log(["e"], {}), TypeError, ["event", "['e']"]),
        (lambda ctx: ctx.log("e", {}, level="loud"), ValueError, ["level", "'loud'"]),
        (lambda ctx: ctx.log("e", {}, step=""), ValueError, ["category", "''"]),
        (lambda ctx: ctx.log("e", {}, 5), TypeError, ["file", "5"]),
        (lambda ctx: ctx.log_message("m", "loud"), ValueError, ["context", "'loud'"]),
        (lambda ctx: ctx.log_message("m", 5), TypeError, ["context", "5"]),
        (lambda ctx: ctx.log_message("m", "info", level="danger"), TypeError, ["context='info'", "level='danger'"]),
        (lambda ctx: ctx.log_message("{n} {m}", n=1), ValueError, ["'m'", "['n']"]),
        (lambda ctx: ctx.log_message({}), ValueError, ["message", "{}"]),
        (lambda ctx: ctx.log_trials({"a": 1}), ValueError, ["data", "trials"]),
    ],
)
def test_a_wrong_argument_is_named_and_nothing_is_recorded(ctx, recorded, call, error, naming):
    with pytest.raises(error) as raised:
        call(ctx)
    for text in naming:
        assert text in str(raised.value)
    assert recorded.nothing()


def test_construction_by_position_and_by_keyword():
    logger, env = NoOpLogger(), PluginEnvironment({"A": "1"})
    by_position = RuntimeContext(logger, env, "j", "client", "agent", {"path": "/m"})
    by_keyword = RuntimeContext(
        logger=logger, env=env, job_id="j", client="client", agent_client="agent", checkpoint={"path": "/m"}
    )
    assert by_position == by_keyword
    assert by_position.checkpoint.get("path") == "/m"
    assert (by_position.client_v1, by_position.client_v2) == ("client", None)


def test_defaults(monkeypatch):
    monkeypatch.setenv("API_KEY", "k")
    ctx = RuntimeContext()
    assert isinstance(ctx.logger, ConsoleLogger)
    assert ctx.env.get("API_KEY", "") == "k"


def test_its_repr_shows_no_value_of_the_environment():
    assert "secret" not in repr(RuntimeContext(NoOpLogger(), PluginEnvironment({"KEY": "secret"})))


def test_a_context_without_a_job_records_all_the_same():
    ctx = RuntimeContext(NoOpLogger(), PluginEnvironment({}), "lone")
    ctx.log_message("Hello")
    ctx.set_progress(1, 2, "c")
    ctx.set_metrics({"a": 1}, "c")
    assert ctx.job.id == "lone"
    assert ctx.job is ctx.job
    with pytest.raises(ValueError, match="category"):
        ctx.set_metrics({"a": 1})


def test_a_context_made_inside_a_job_joins_it(recorded):
    ctx = RuntimeContext(NoOpLogger(), PluginEnvironment({}))
    assert ctx.job is recorded.job
    ctx.log_message("Hello")
    assert recorded.messages() == [("Hello", "info", "train")]


def test_a_context_of_another_job_does_not(recorded):
    other = RuntimeContext(NoOpLogger(), PluginEnvironment({}), "job-2")
    assert other.job is not recorded.job
    other.set_progress(1, 2, "other")
    assert "other" not in recorded.progress()


@pytest.mark.parametrize("logger", [NoOpLogger(), ConsoleLogger()])
def test_it_can_be_pickled(ctx, recorded, logger):
    ctx.logger = logger
    ctx.set_progress(1, 2, "c")
    copy = pickle.loads(pickle.dumps(ctx))
    assert (copy.job_id, type(copy.logger)) == ("job-1", type(logger))
    assert copy.logger.get_progress("c").percent == 50
    copy.log_message("still works")
    assert recorded.messages()[-1][0] == "still works"
    logger.finish()
    copy.logger.finish()
