"""Every state that a run may have is known wherever states are listed: a new one is missing here first."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from synapse_otel.runs.live.entry import TONES
from synapse_otel.runs.state import RunState
from synapse_otel.ui.printed.summary import STATES
from synapse_otel.ui.terminal import runs as terminal

TREE = Path(__file__).parents[2]
UNENDED = set(RunState) - {RunState.DONE}
"""Those that are shown as such; of a run that is done, the result of its job is shown."""


def listed(file: str, declared: str) -> set[str]:
    """Return the texts in quotes on the line of a file on which something is declared."""
    [line] = [line for line in (TREE / file).read_text().splitlines() if line.startswith(declared)]
    return {str(json.loads(text)) for text in re.findall(r'"[a-z]+"', line)}


@pytest.mark.parametrize(
    ("states", "known"),
    {
        "the report": (set(RunState), set(STATES)),
        "colours": (UNENDED, set(TONES)),
        "filters of the terminal": (UNENDED, set(terminal.STATES)),
        "filters of the page": (UNENDED, listed("web/src/list.tsx", "const TONES =")),
        "types of the page": (set(RunState), listed("web/src/types.ts", "export type State =")),
    }.values(),
)
def test_every_state_is_known(states: set[RunState], known: set[str]) -> None:
    assert {str(state) for state in states} <= {str(state) for state in known}


def test_every_state_has_its_rule() -> None:
    rules = (TREE / "collector" / "alerts" / "job-state.rules.yaml").read_text()
    assert {f"state: {state}" for state in UNENDED} <= set(re.findall(r"state: \w+", rules))
