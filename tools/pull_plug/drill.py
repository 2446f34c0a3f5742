"""The drill of the runbook: one part after the other is taken away at random, as a bad evening does it."""

from __future__ import annotations

import os
import random
import secrets
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from synapse_otel.journal.files.lock_holder import read_holder
from tools.pull_plug.faults import agent_killed, backend_away, both_killed, broker_killed, gateway_killed, upgraded
from tools.pull_plug.trial import Tiers

AWAY_SECONDS: Final = (0.5, 10.0)
"""How long a part is away, and how long all parts are there before the next one goes: from and to."""


def shipper_killed(tiers: Tiers, seconds: float) -> None:
    """Kill the jobs' shipper; one of the jobs, whichever notices first, starts it again."""
    holders = (read_holder(lock) for lock in tiers.folder.glob("**/shipper-*.lock"))
    for process in {holder.process for holder in holders if holder is not None}:
        os.kill(process, signal.SIGKILL)
    time.sleep(seconds)


PARTS: Final[dict[str, Callable[[Tiers, float], None]]] = {
    "the agent": agent_killed,
    "the gateway": gateway_killed,
    "agent and gateway": both_killed,
    "the backends": backend_away,
    "the job's shipper": shipper_killed,
}
"""What may go: by name, what takes it away for some seconds and brings it back."""

VERSIONS: Final[dict[str, Callable[[Tiers, float], None]]] = {
    "the agent's version": partial(upgraded, tier="agent"),
    "the gateway's version": partial(upgraded, tier="gateway"),
}
"""It goes to the newest, which is built without Kafka, and back: for a time both versions are in one chain."""


def drill(tiers: Tiers, seconds: float) -> None:
    """Take parts away at random moments until the time is over; say on stderr which, so that it can be repeated."""
    seed = int(os.environ.get("DRILL_SEED") or secrets.randbelow(1 << 31))
    chance = random.Random(seed)  # noqa: S311 - to be repeated
    print(f"drill: DRILL_SEED={seed}", file=sys.stderr)
    parts = PARTS | (VERSIONS if tiers.broker is None else {"the broker": broker_killed})
    begin = time.monotonic()
    while (passed := time.monotonic() - begin) < seconds:
        name, away = chance.choice(list(parts)), chance.uniform(*AWAY_SECONDS)
        print(f"drill: after {passed:5.1f} s: {name}, for {away:.1f} s", file=sys.stderr, flush=True)
        parts[name](tiers, away)
        time.sleep(chance.uniform(*AWAY_SECONDS))
