"""Fifty seeds of ``make soak``: jobs and shippers killed at random moments, and nothing lost."""

from __future__ import annotations

from collections import Counter

import pytest

from tools.soak.scenarios import SCENARIOS
from tools.soak.soak import soak, table

pytestmark = pytest.mark.once

SEEDS = range(50)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    found = soak(SEEDS, tmp_path_factory.mktemp("soak"), jobs=2, say=print)
    print(table(found))
    return {outcome.seed: outcome for outcome in found}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_kill_at_a_random_moment_loses_nothing_that_a_call_returned_from(outcomes, seed):
    """Once more by itself: ``python -m tools.soak --seeds 1 --from SEED``."""
    assert outcomes[seed].found.wrong == []


def test_every_scenario_had_something_to_lose(outcomes):
    acknowledged = Counter()
    for outcome in outcomes.values():
        acknowledged[outcome.scenario] += outcome.found.acknowledged
    assert all(acknowledged[scenario] for scenario in SCENARIOS), acknowledged
