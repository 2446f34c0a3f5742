"""Values that nest without end, or whose class fails, never reach the job, and their record arrives."""

from __future__ import annotations

import logging

import pytest

from synapse_otel._otel_private import SeverityNumber, get_logger_provider
from synapse_otel.testing import recorded_job

DEPTH = 100_000


def deep_list() -> list:
    value: list = []
    for _ in range(DEPTH):
        value = [value]
    return value


def deep_mapping() -> dict:
    value: dict = {"api_key": "secret-at-the-bottom"}
    for _ in range(DEPTH):
        value = {"in": value}
    return value


class Unshown:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__


VALUES = {"deep list": deep_list, "deep mapping": deep_mapping, "unshown": Unshown}


@pytest.mark.parametrize("name", VALUES)
def test_such_data_of_the_context_arrives_as_text(name):
    with recorded_job() as job:
        job.ctx.log("event", {"value": VALUES[name](), "other": 1})
        job.ctx.log_dev_event("event", {"value": VALUES[name]()})
        (event,) = job.events
        assert event.attributes["synapse.data.other"] == 1
        assert "secret-at-the-bottom" not in repr(event.attributes)


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("part", ["body", "attributes"])
def test_such_records_of_the_logs_api_arrive(name, part):
    with recorded_job() as job:
        given = {"body": VALUES[name]()} if part == "body" else {"attributes": {"value": VALUES[name]()}}
        get_logger_provider().get_logger("other").emit(
            timestamp=1, severity_number=SeverityNumber.INFO, event_name="deep", **given
        )
        (found,) = [log for log in job.log_records if log.event_name == "deep"]
        assert "secret-at-the-bottom" not in repr(found)


def test_such_records_of_pythons_logging_arrive():
    with recorded_job() as job:
        logging.getLogger("plugin").warning("deep %s", "value", extra={"value": deep_list()})
        assert [log.body for log in job.log_records if log.body == "deep value"] == ["deep value"]
