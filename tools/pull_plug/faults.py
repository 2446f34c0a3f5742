"""What may happen to the tiers between a job and its backends."""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tools.collector.versions import NEWEST, SHIPPED, gateway_files
from tools.pull_plug.trial import Tiers

_MEBIBYTE: Final = 1 << 20
_START_SECONDS: Final = 0.5
"""Within which a tier is ready."""
_REFILL_SECONDS: Final = 0.5


def nothing(_tiers: Tiers, seconds: float) -> None:
    """Wait: what is lost or repeated here is not due to a fault."""
    time.sleep(seconds)


def backend_away(tiers: Tiers, seconds: float) -> None:
    """Have the backends go away, and come back."""
    tiers.backends_go()
    time.sleep(seconds)
    tiers.backends_return()


def agent_killed(tiers: Tiers, seconds: float) -> None:
    """Kill the agent, and start it again."""
    tiers.kill("agent")
    time.sleep(seconds)
    tiers.start("agent")


def gateway_killed(tiers: Tiers, seconds: float) -> None:
    """Kill the gateway, and start it again."""
    tiers.kill("gateway")
    time.sleep(seconds)
    tiers.start("gateway")


def both_killed(tiers: Tiers, seconds: float) -> None:
    """Kill both at once; start the agent first."""
    tiers.kill("agent", "gateway")
    time.sleep(seconds)
    tiers.start("agent", "gateway")


def both_killed_backend_away(tiers: Tiers, seconds: float) -> None:
    """Kill both while the backends are away and the queues hold work; start the gateway first."""
    tiers.backends_go()
    time.sleep(seconds / 2)
    tiers.kill("gateway", "agent")
    time.sleep(seconds / 2)
    tiers.start("gateway", "agent")
    tiers.backends_return()


def both_killed_again_and_again(tiers: Tiers, seconds: float) -> None:
    """Kill both at random moments, also while they start, which is when they take up what they left."""
    chance = random.Random(0)  # noqa: S311 - the same moments again
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        tiers.kill("agent", "gateway")
        tiers.start_and_kill("agent", "gateway", after_seconds=chance.uniform(0, _START_SECONDS))
        tiers.start("gateway", "agent")
        time.sleep(chance.uniform(0, 1))


def queues_full(tiers: Tiers, seconds: float) -> None:
    """Have the backends away for so long that every queue is full and refuses; then the gateway is killed too."""
    tiers.backends_go()
    time.sleep(seconds)
    tiers.kill("gateway")
    tiers.start("gateway")
    tiers.backends_return()


def upgraded(tiers: Tiers, seconds: float, *, tier: str) -> None:
    """End one tier and start it again as the newest version of the Collector, and after a time as the shipped one."""
    for program in (NEWEST, SHIPPED):
        files = gateway_files(program, tiers.stack.directory / f"{program} files") if tier == "gateway" else {}
        tiers.stack.exchange(tier, program, files.get(tier, ()))
        if program == NEWEST:
            time.sleep(seconds)


def tiers_upgraded(tiers: Tiers, seconds: float) -> None:
    """Have one tier after the other be the newest version for a time, and go back."""
    for tier in ("gateway", "agent"):
        upgraded(tiers, seconds / 2, tier=tier)


def disk_full(tiers: Tiers, seconds: float) -> None:
    """Fill the disk of both tiers' queues, as somebody else would, and free it again."""
    ballast = tiers.queues / "ballast"
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            fill(ballast)
            time.sleep(_REFILL_SECONDS)
    finally:
        ballast.unlink()


def broker_killed(tiers: Tiers, seconds: float) -> None:
    """Kill the broker between the tiers, and start it again."""
    tiers.kafka.kill("kafka")
    time.sleep(seconds)
    tiers.kafka.restart("kafka")


def broker_and_gateway_killed(tiers: Tiers, seconds: float) -> None:
    """Kill broker and gateway; start the gateway first."""
    tiers.kafka.kill("kafka")
    tiers.kill("gateway")
    tiers.start("gateway")
    time.sleep(seconds)
    tiers.kafka.restart("kafka")


def broker_disk_full(tiers: Tiers, seconds: float) -> None:
    """Fill the broker's disk, which ends the broker; free it again and start the broker."""
    data = tiers.kafka.directory / "kafka" / "data"
    ballast = data / "ballast"
    try:
        fill(ballast)
        time.sleep(seconds)
    finally:
        ballast.unlink()
    tiers.kafka.restart("kafka")


def fill(path: Path) -> None:
    """Write into a file until its file system has no room."""
    with path.open("ab", buffering=0) as file:
        for size in (_MEBIBYTE, 4096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


FAULTS: Final[dict[str, Callable[[Tiers, float], None]]] = {
    "nothing": nothing,
    "backend away": backend_away,
    "agent killed": agent_killed,
    "gateway killed": gateway_killed,
    "both killed": both_killed,
    "both killed, backend away": both_killed_backend_away,
    "both killed again and again": both_killed_again_and_again,
    "queues full": queues_full,
    "disk full": disk_full,
    "tiers upgraded": tiers_upgraded,
}
"""By name."""

KAFKA_FAULTS: Final[dict[str, Callable[[Tiers, float], None]]] = {
    "nothing": nothing,
    "backend away": backend_away,
    "agent killed": agent_killed,
    "gateway killed": gateway_killed,
    "gateway queues full": queues_full,
    "broker killed": broker_killed,
    "broker and gateway killed": broker_and_gateway_killed,
    "broker's disk full": broker_disk_full,
}
"""By name, where Kafka is between the tiers; the newest Collector is built without it."""

MAY_LOSE: Final = frozenset({"both killed again and again", "disk full"})
"""What loses records in the Collector itself. When it starts, it takes what it was sending out of its queue and puts it
back again, which a kill may come between. And it drops what it cannot take note of having read, where the disk is full:
so the queues' disk has to be their own, and larger than they may become."""
