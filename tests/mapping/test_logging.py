"""Records of Python's logging: they arrive as log records of the step they are made in, and nobody else notices."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from synapse_otel._otel_private import get_logger_provider
from synapse_otel.mapping.python_logging.capture import Capture
from synapse_otel.runs import LogKind
from synapse_otel.semconv.exceptions import exception_attributes
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


def test_an_exception_that_an_emitter_hands_over_brings_the_same_attributes(synapse_job):
    error = ValueError("bad")
    try:
        raise error
    except ValueError:
        get_logger_provider().get_logger("plugin").emit(body="it failed", exception=error)
    (entry,) = logged(synapse_job)
    assert {key: entry.attributes[key] for key in exception_attributes(error)} == exception_attributes(error)
    assert "test_logging.py" in entry.attributes["exception.stacktrace"]


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("given", "body"),
    [
        (("%d items", "x"), "%d items [TypeError, arguments: 'x']"),
        (("none", 1, 2), "none [TypeError, arguments: 1, 2]"),
        (("%s and %s", 1), "%s and %s [TypeError, arguments: 1]"),
        (("%(a)s", {"b": 1}), "%(a)s [KeyError, arguments: {'b': 1}]"),
        (("50 %", 5), "50 % [ValueError, arguments: 5]"),
        (("%s", Unprintable()), "%s [RuntimeError, arguments: <Unprintable, unprintable: RuntimeError>]"),
    ],
)
def test_wrong_arguments_keep_the_template_and_they(synapse_job, given, body):
    logging.raiseExceptions, before = False, logging.raiseExceptions
    try:
        logging.getLogger("plugin").warning(*given)
    finally:
        logging.raiseExceptions = before
    (entry,) = logged(synapse_job)
    assert entry.body == body


def test_of_wrong_arguments_logging_says_what_it_says_without_us(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import logging\nlogging.basicConfig(format='%(message)s')\nlogging.warning('%d items', 'x')\n")
    with_us = tmp_path / "with_us.py"
    with_us.write_text(
        "import sys, synapse_otel\nwith synapse_otel.job('train', plugin='p'):\n    exec(open(sys.argv[1]).read())\n"
    )
    variables = {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "SYNAPSE_OTEL_JOURNAL_DIR": str(tmp_path / "journals"),
        "SYNAPSE_OTEL_SHIPPER": "off",
    }
    said = []
    for arguments in ([program], [with_us, program]):
        ran = subprocess.run([sys.executable, *arguments], env=variables, capture_output=True, text=True, check=True)
        said.append([line for line in ran.stderr.splitlines() if not line.startswith((" ", "Call", "synapse-otel"))])
    assert said[0] == said[1]
    assert "--- Logging error ---" in said[0]
    assert said[0].count("Message: '%d items'") == 1


@pytest.mark.parametrize("name", ["opentelemetry.sdk", "synapse_otel.x", "urllib3.connectionpool"])
def test_the_telemetrys_own_libraries_are_left_out(synapse_job, name):
    logging.getLogger(name).error("would go round in circles")
    assert logged(synapse_job) == []


def test_secrets_and_huge_texts(synapse_job):
    logging.getLogger("plugin").info("x" * 100_000, extra={"password": "hunter2"})
    (entry,) = logged(synapse_job)
    assert len(entry.body) < 20_000
    assert entry.attributes["password"] == "[redacted]"


METHODS = ("isEnabledFor", "callHandlers")


def test_nothing_is_left_behind():
    root = logging.getLogger()
    before = root.level, list(root.handlers), [getattr(logging.Logger, name) for name in METHODS]
    with recorded_job():
        assert [getattr(logging.Logger, name) for name in METHODS] != before[2]
        assert root.handlers == before[1]
    assert (root.level, list(root.handlers), [getattr(logging.Logger, name) for name in METHODS]) == before


def test_what_somebody_has_wrapped_again_is_left_to_him(synapse_job, monkeypatch):
    capture = Capture(logging.INFO)
    ours, seen = logging.Logger.callHandlers, []
    monkeypatch.setattr(
        logging.Logger, "callHandlers", lambda self, record: (seen.append(record.msg), ours(self, record))
    )
    capture.end()
    logging.getLogger("plugin").warning("once")
    assert seen == ["once"]
    assert [entry.body for entry in logged(synapse_job)] == ["once"]


def test_records_of_many_threads_at_a_time(synapse_job):
    def work(number):
        for count in range(50):
            logging.getLogger(f"plugin.{number}").info("%d", count)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(logged(synapse_job)) == 200


# --- a program of the host, with a job and without -------------------------------------------------------------

HOST = Path(__file__).with_name("logging_host.py")
SAY = "log = logging.getLogger('plugin'); log.debug('a debug'); log.info('an info'); log.warning('a warning')\n"


TALKS = """
class Talks:
    def __str__(self):
        logging.getLogger('plugin').info('inside of %s', self)
        return 'it'
logging.getLogger('plugin').info('%s', Talks())
"""
FROM_AFAR = "logging.getLogger('plugin').handle(logging.makeLogRecord({{'name': 'plugin', {}}}))"
BOTH, ONE = ["an info", "a warning"], ["a warning"]
CONFIGURE = {
    "logging.basicConfig(format='>%(message)s')": ONE,
    "logging.basicConfig(level='INFO')": BOTH,
    "logging.basicConfig(level='DEBUG')": BOTH,
    "logging.getLogger().addHandler(logging.StreamHandler())": ONE,
    "logging.config.dictConfig({'version': 1, 'disable_existing_loggers': False, 'root': {'level': 30}})": BOTH,
    "logging.config.dictConfig({'version': 1, 'disable_existing_loggers': False, 'root': {'level': 'ERROR'}})": [],
    "logging.getLogger('plugin'); logging.config.dictConfig({'version': 1})": [],
    "logging.disable(logging.INFO)": ONE,
    "logging.disable()": [],
    "logging.getLogger('plugin').disabled = True": [],
    "logging.getLogger('plugin').setLevel('ERROR')": [],
    "logging.getLogger('plugin').setLevel('WARNING')": ONE,
    "logging.getLogger('plugin').propagate = False": [],
    "logging.getLogger('plugin').addHandler(logging.StreamHandler())": BOTH,
    "logging.lastResort = None": BOTH,
    "logging.getLogger('plugin').addFilter(lambda record: 'info' not in record.msg)": ONE,
}
"""What a host may say, and what is recorded of `SAY` afterwards."""
PROGRAMS = {
    **{f"{say}, before": (say, SAY, logging.INFO) for say in CONFIGURE},
    **{f"{say}, during": ("", f"{SAY}\n{say}\n{SAY}", logging.INFO) for say in CONFIGURE},
    "nothing": ("", SAY + "logging.error('root')", logging.INFO),
    "of another process": (
        "logging.getLogger('plugin').addHandler(logging.StreamHandler())",
        FROM_AFAR.format("'levelno': 20, 'msg': 'from afar', 'process': 1"),
        logging.INFO,
    ),
    "errors only": ("", SAY + "log.error('an error')", logging.ERROR),
    "talks": ("", TALKS, logging.INFO),
    **{
        other: (f"logging.getLogger().addHandler(type('{other}', (logging.NullHandler,), {{}})())", SAY, logging.INFO)
        for other in ("LoggingHandler", "LogfireLoggingHandler")
    },
}


@pytest.fixture(scope="module")
def results():
    """What became of each program, bare and with its logging captured."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    told = json.dumps(list(PROGRAMS.values()))
    command = [sys.executable, str(HOST)]
    ended = subprocess.run(command, input=told, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return dict(zip(PROGRAMS, json.loads(ended.stdout), strict=True))


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_host_shows_what_it_does_without_us_and_finds_its_loggers_as_it_left_them(results, program):
    bare, ours = results[program]
    assert ours[:3] == bare[:3]
    assert bare[3] == []


@pytest.mark.parametrize("say", CONFIGURE)
def test_the_levels_of_a_host_hold_and_what_it_has_not_configured_is_recorded_from_info_on(results, say):
    assert results[f"{say}, before"][1][3] == CONFIGURE[say]
    assert results[f"{say}, during"][1][3] == [*BOTH, *CONFIGURE[say]]


def test_where_nothing_is_configured_the_terminal_shows_what_it_did(results):
    shown, level, handlers, recorded = results["nothing"][1]
    assert shown == "a warning\nERROR:root:root\n", "the second one by `basicConfig`, which `logging.error` calls"
    assert (level, handlers) == (logging.WARNING, ["StreamHandler"])
    assert recorded == [*BOTH, "root"]


def test_a_record_that_came_from_another_process_is_shown_as_it_is_without_us(results):
    shown, *_, recorded = results["of another process"][1]
    assert (shown, recorded) == ("from afar\n", ["from afar"])


def test_who_is_asked_for_errors_only_lets_nothing_else_through(results):
    assert results["errors only"][1][3] == ["an error"]


def test_what_is_logged_while_a_record_is_recorded_is_recorded_too_but_not_for_ever(results):
    recorded = results["talks"][1][3]
    assert (recorded[-1], len(recorded)) == ("it", 8)


@pytest.mark.parametrize("other", ["LoggingHandler", "LogfireLoggingHandler"])
def test_where_another_instrumentation_records_we_do_not(results, other):
    assert results[other][1][3] == []
