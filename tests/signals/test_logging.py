"""Records of Python's logging: they arrive as log records of the step they are made in, and nobody else notices."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from synapse_otel.recording import LogKind
from synapse_otel.signals.stdlib import RecordingHandler
from synapse_otel.testing import recorded_job

SOURCE = Path(__file__).parents[2] / "src"


def logged(job):
    return [entry for entry in job.log_records if entry.kind is LogKind.LOGGING]


def test_a_record_arrives_in_its_step_with_all_it_carries(synapse_job):
    log = logging.getLogger("plugin.data")
    scope = synapse_job.job.root.begin_step("load", order=1, weight=1)
    with scope.activated():
        log.info("read %d of %s", 3, "b", extra={"path": Path("/a"), "sizes": [1, 2]})
    scope.end()
    (entry,) = logged(synapse_job)
    assert (entry.body, entry.severity, entry.scope) == ("read 3 of b", 9, "plugin.data")
    assert entry.attributes == {
        "synapse.job.id": synapse_job.job.id,
        "synapse.category": "load",
        "path": "/a",
        "sizes": [1, 2],
    }
    assert entry.span_id == synapse_job.span("load").span_id


@pytest.mark.parametrize(
    ("level", "severity"),
    [(logging.INFO, 9), (logging.WARNING, 13), (logging.ERROR, 17), (logging.CRITICAL, 21), (25, 9), (99, 21)],
)
def test_levels(synapse_job, level, severity):
    logging.getLogger("plugin").log(level, "m")
    assert [entry.severity for entry in logged(synapse_job)] == [severity]


def test_below_info_nothing_is_recorded_unless_asked_for(monkeypatch):
    with recorded_job() as job:
        logging.getLogger("plugin").debug("not seen")
        assert logged(job) == []
    monkeypatch.setenv("SYNAPSE_OTEL_LOG_LEVEL", "debug")
    with recorded_job() as job:
        logging.getLogger("plugin").debug("seen")
    assert [entry.body for entry in logged(job)] == ["seen"]
    monkeypatch.setenv("SYNAPSE_OTEL_LOG_LEVEL", "off")
    with recorded_job() as job:
        logging.getLogger("plugin").error("not seen")
    assert logged(job) == []


def test_an_exception_brings_its_attributes(synapse_job):
    def fail():
        raise ValueError("bad")

    try:
        fail()
    except ValueError:
        logging.getLogger("plugin").exception("it failed")
    (entry,) = logged(synapse_job)
    assert entry.body == "it failed"
    assert entry.attributes["exception.type"] == "ValueError"
    assert entry.attributes["exception.message"] == "bad"
    assert "test_logging.py" in entry.attributes["exception.stacktrace"]


def test_a_message_that_cannot_be_formatted_is_recorded_all_the_same(synapse_job):
    logging.raiseExceptions, before = False, logging.raiseExceptions
    try:
        logging.getLogger("plugin").warning("%d", "no number")
    finally:
        logging.raiseExceptions = before
    (entry,) = logged(synapse_job)
    assert "unprintable" in entry.body


@pytest.mark.parametrize("name", ["opentelemetry.sdk", "synapse_otel.x", "urllib3.connectionpool"])
def test_the_telemetrys_own_libraries_are_left_out(synapse_job, name):
    logging.getLogger(name).error("would go round in circles")
    assert logged(synapse_job) == []


def test_secrets_and_huge_texts(synapse_job):
    logging.getLogger("plugin").info("x" * 100_000, extra={"password": "hunter2"})
    (entry,) = logged(synapse_job)
    assert len(entry.body) < 20_000
    assert entry.attributes["password"] == "[redacted]"


def test_nothing_is_left_behind():
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    with recorded_job():
        assert any(isinstance(handler, RecordingHandler) for handler in root.handlers)
    assert (root.level, list(root.handlers)) == before


SCRIPT = """
import json, logging, sys
{before}
from synapse_otel.signals.stdlib import capture_logging
before = logging.getLogger().level
capture_logging({level})
capture_logging({level})
logging.getLogger("plugin").info("an info")
logging.getLogger("plugin").warning("a warning")
{after}
root = logging.getLogger()
print(json.dumps([before, root.level, [type(handler).__name__ for handler in root.handlers]]))
"""


def run(before="", after="", level=logging.INFO):
    """Return what stands on stderr, and the root logger's level before and after, and its handlers."""
    script = SCRIPT.format(before=before, after=after, level=level)
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    return ended.stderr, json.loads(ended.stdout)


def test_where_nothing_is_configured_the_terminal_shows_what_it_did():
    shown, (before, after, handlers) = run()
    assert shown == "a warning\n"
    assert (before, after) == (logging.WARNING, logging.INFO)
    assert handlers == ["RecordingHandler", "_LastResort"]


def test_what_is_configured_afterwards_is_not_shown_twice():
    shown, _root = run(after="logging.getLogger().addHandler(logging.StreamHandler()); logging.error('an error')")
    assert shown == "a warning\nan error\n"


def test_basic_config_afterwards_still_does_its_work():
    shown, _root = run(after="logging.basicConfig(format='>%(message)s'); logging.error('an error')")
    assert shown == "a warning\n>an error\n"


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_a_level_set_afterwards_holds(level):
    shown, (_before, after, handlers) = run(after=f"logging.basicConfig(level='{level}'); logging.info('an info')")
    assert shown == "a warning\nINFO:root:an info\n"
    assert logging.getLevelName(after) == level
    assert handlers == ["StreamHandler", "RecordingHandler"]


def test_a_configuration_by_mapping_does_not_end_the_recording():
    shown, (_before, after, handlers) = run(
        after="from logging.config import dictConfig; dictConfig({'version': 1, 'root': {'handlers': [], 'level': 30}})"
    )
    assert handlers == ["RecordingHandler", "_LastResort"]
    assert (shown, after) == ("a warning\n", logging.INFO)


def test_a_hosts_configuration_is_left_alone():
    shown, (before, after, handlers) = run("logging.basicConfig(level='ERROR', format='%(levelname)s %(message)s')")
    assert shown == ""
    assert before == after == logging.ERROR
    assert handlers == ["StreamHandler", "RecordingHandler"]


@pytest.mark.parametrize("other", ["LoggingHandler", "LogfireLoggingHandler"])
def test_where_another_instrumentation_records_we_do_not(other):
    shown, (_before, after, handlers) = run(
        f"logging.getLogger().addHandler(type('{other}', (logging.NullHandler,), {{}})())"
    )
    assert (shown, after, handlers) == ("", logging.WARNING, [other])
