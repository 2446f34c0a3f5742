"""Shows a folder of runs in a terminal that nobody sees, and prints what that took, as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from textual.pilot import Pilot

from synapse_otel.journal.folder import run_folders
from synapse_otel.runs.live.index import RunIndex
from synapse_otel.runs.live.store import RunStore
from synapse_otel.ui.terminal.app import TerminalView

IDLE_SECONDS = 5.0


async def measure(root: Path) -> dict[str, float]:
    """Return seconds until all rows are there, and until the only run is read; CPU in %."""
    count = len(list(run_folders(root)))
    app = TerminalView(RunStore(RunIndex([root], stall_seconds=300)))
    begun = time.perf_counter()
    async with app.run_test(size=(120, 40)) as pilot:
        await _until(pilot, f"  {count:,} run")
        found = {"listed": time.perf_counter() - begun}
        if count == 1:
            begun = time.perf_counter()
            await pilot.press("enter")
            await _until(pilot, " 3 messages ")
            while "  reading " in _text(pilot):
                await pilot.pause(0.02)
            found["opened"] = time.perf_counter() - begun
        used, begun = time.process_time(), time.perf_counter()
        await asyncio.sleep(IDLE_SECONDS)
        found["idle"] = (time.process_time() - used) / (time.perf_counter() - begun) * 100
    return found


def _peak() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


async def _until(pilot: Pilot[None], text: str) -> None:
    while text not in _text(pilot):
        await pilot.pause(0.02)


def _text(pilot: Pilot[None]) -> str:
    lines = pilot.app.screen._compositor.render_strips()  # noqa: SLF001 - as Textual's own screenshots
    return "\n".join("".join(part.text for part in line) for line in lines)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(Path(sys.argv[1]))) | {"memory": _peak()}))
