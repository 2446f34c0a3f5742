"""Each golden case of `cases/`: through real agent and gateway, its records are where it says, and only there.

A new route needs a case: copy one, say what is sent, and at which sinks it arrives.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import yaml

from tests.collector.routing_cases import Case, Received, load_cases, received
from tests.collector.routing_tiers import ROUTES, running_tiers
from tests.stack import otlp

pytestmark = [pytest.mark.stack, pytest.mark.once]

CASES = load_cases()


@pytest.fixture(scope="module")
def arrived(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[Received]]]:
    """Send every case, those with the same settings through the same tiers; return by case and sink what arrived."""
    found: dict[str, dict[str, list[Received]]] = {case.name: {} for case in CASES}
    for settings in {tuple(sorted(case.settings.items())) for case in CASES}:
        together = [case for case in CASES if tuple(sorted(case.settings.items())) == settings]
        with running_tiers(tmp_path_factory.mktemp("tiers"), dict(settings)) as tiers:
            for case in together:
                for request in case.requests():
                    otlp.send(tiers.stack.otlp_http, request)
            tiers.settle()
            for name, sink in tiers.sinks.items():
                for record in received(sink):
                    found[record.resource["service.name"]].setdefault(name, []).append(record)
    return found


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_each_record_is_where_its_case_says_and_only_there(
    case: Case, arrived: Mapping[str, Mapping[str, list[Received]]]
) -> None:
    found = arrived[case.name]
    for sink in sorted({*found, *case.expect}):
        left = list(found.get(sink, []))
        for expected in case.expect.get(sink, []):
            fitting = [record for record in left if record.fits(expected)]
            assert fitting, f"{sink} lacks {expected!r}; it has {left}"
            left.remove(fitting[0])
        assert not left, f"{sink} has what its case does not expect: {left}"


def test_every_sink_has_a_case() -> None:
    exporters = yaml.safe_load(ROUTES.read_text(encoding="utf-8"))["exporters"]
    sinks = {name.partition("/")[2] for name in exporters if name.startswith("otlp_")}
    assert {sink for case in CASES for sink in case.expect} == sinks


def test_every_entry_of_a_table_is_its_own() -> None:
    """Of two entries with the same condition the connector ignores the second, with a warning only."""
    for name, connector in yaml.safe_load(ROUTES.read_text(encoding="utf-8"))["connectors"].items():
        conditions = [(entry["context"], entry["condition"]) for entry in connector["table"]]
        assert len(set(conditions)) == len(conditions), name
