"""One account of a job's workers, and the settings that travel to them: what needs no Ray."""

from __future__ import annotations

import os

import pytest

from synapse_otel.journal.state_block import SlotValue
from synapse_otel.runs.state import RunState
from synapse_otel.runs.workers import Told, one_account
from synapse_otel.runtime.process_environment import take_variables
from synapse_otel.semconv.progress import Progress
from synapse_otel.semconv.readings import SlotKind
from synapse_otel.settings.travelling import packed, unpacked

pytestmark = pytest.mark.once

JOB = b"the job."


def told(worker: str, current: float, *, at_work: int = 0, gone: bool = False, time: int = 1) -> Told:
    progress = Progress(current, 10, time, 0, 0, current)
    slots = [SlotValue(SlotKind.PROGRESS, JOB, "epochs", progress), SlotValue(SlotKind.HELD, JOB, "train", at_work)]
    return Told(slots, {JOB.hex(): worker} if worker else {}, gone=gone)


@pytest.mark.parametrize(
    ("found", "state", "expected"),
    [
        pytest.param([told("a", 2), told("b", 3)], RunState.LIVE, (5, 20), id="workers are added up"),
        pytest.param([told("", 4), told("a", 2)], RunState.LIVE, (4, 10), id="the driver has the word"),
        pytest.param([told("a", 9), told("a", 2, time=2)], RunState.LIVE, (2, 10), id="started again"),
        pytest.param(
            [told("a", 2, at_work=1, gone=True), told("b", 3)], RunState.DONE, (3, 10), id="killed, and done again"
        ),
        pytest.param(
            [told("a", 10, at_work=1, gone=True), told("b", 3)], RunState.LIVE, (13, 20), id="killed when done"
        ),
        pytest.param([told("a", 2, gone=True), told("b", 3)], RunState.LIVE, (5, 20), id="ended when idle"),
        pytest.param(
            [told("a", 2, at_work=1, gone=True), told("b", 3)], RunState.CRASHED, (5, 20), id="killed with the job"
        ),
    ],
)
def test_what_a_job_has_come_to(found, state, expected):
    (one,) = one_account(found, state)
    assert (one.progress.current, one.progress.limit) == expected


@pytest.mark.parametrize(
    ("drivers", "nodes", "folder"),
    [
        ("/driver", None, "/set"),
        ("/driver", "/driver", "/set"),
        ("/driver", "/node", None),
        (None, "/node", None),
        (None, None, "/set"),
    ],
)
def test_a_node_has_the_word_where_it_says_something_of_its_own(monkeypatch, drivers, nodes, folder):
    """``folder``: what the driver's setting is where it holds, None where the node's variable does."""
    name = "SYNAPSE_OTEL_JOURNAL_DIR"

    def have(value):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)

    have(drivers)
    travelled = packed({"journal_dir": "/set"})
    have(nodes)
    settings, variables = unpacked(travelled)
    assert settings.get("journal_dir") == folder
    take_variables(variables)
    assert os.environ.get(name) == (nodes or drivers)


def test_variables_travel_where_there_are_none_but_not_those_of_the_process(monkeypatch):
    for name in ("OTEL_EXPORTER_OTLP_HEADERS", "SYNAPSE_OTEL_WATCHED_BY", "OTEL_SERVICE_NAME", "OTEL_LOG_LEVEL"):
        monkeypatch.setenv(name, "drivers")
    travelled = packed({})
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_HEADERS")
    monkeypatch.delenv("SYNAPSE_OTEL_WATCHED_BY")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "nodes")
    _, variables = unpacked(travelled)
    assert "OTEL_EXPORTER_OTLP_HEADERS" not in os.environ, "settings only read"
    take_variables(variables)
    assert os.environ["OTEL_EXPORTER_OTLP_HEADERS"] == "drivers"
    assert os.environ["OTEL_SERVICE_NAME"] == "nodes"
    assert "SYNAPSE_OTEL_WATCHED_BY" not in os.environ
