"""A burst of logs through the SDK's own logger to a slow platform, bare and instrumented: who stalls, who loses."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.report import Bar, Table
from benchmarks.sdk import sdk_python
from synapse_otel.runs import Recording, run_groups
from tests.synapse_sdk.fake_platform import running_platform

COUNT = 300_000
ROUNDS = 1
DELAY_MS = 362
MOST_WORSE = 0.05


def platform() -> Table:
    """Measure by turns; count what stands in our journal."""
    python = sdk_python()
    bare, ours, lost = [], [], []
    with running_platform() as server:
        for turn in range(ROUNDS):
            bare.append(_burst(python, server.url(f"bare{turn}", f"slow-{DELAY_MS}"), instrumented=False)[0])
            found, recorded = _burst(python, server.url(f"ours{turn}", f"slow-{DELAY_MS}"), instrumented=True)
            ours.append(found)
            lost.append(COUNT - recorded)
    stall = [median(one["whole"] for one in found) for found in (bare, ours)]
    worse = stall[1] / stall[0] - 1
    rows = [
        (
            name,
            f"{median(one['calls'] for one in found):.1f}",
            f"{median(one['whole'] for one in found):.1f}",
            f"{gone:,}",
        )
        for name, found, gone in (
            ("bare", bare, max(one["lost"]["dropped"] + one["lost"]["unsent"] for one in bare)),
            (
                "instrumented: the platform's own",
                ours,
                max(one["lost"]["dropped"] + one["lost"]["unsent"] for one in ours),
            ),
            ("instrumented: in the journal", ours, max(lost)),
        )
    ]
    return Table(
        "platform",
        f"{COUNT:,} `ctx.log` through the real SDK's job logger, the platform {DELAY_MS} ms away",
        ("", "calls, s", "until it is finished, s", "lost"),
        rows,
        "362 ms is what a round trip to the real platform took.",
        [
            Bar("logs of a burst through the real SDK lost in our journal", "0", f"{max(lost):,}", met=not any(lost)),
            Bar(
                "the platform's stall, instrumented",
                f"at most {MOST_WORSE:.0%} worse",
                f"{worse:+.1%}",
                met=worse <= MOST_WORSE,
            ),
        ],
    )


def _burst(python: Path, host: str, *, instrumented: bool) -> tuple[dict[str, Any], int]:
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        environment = {
            "SYNAPSE_OTEL_INSTRUMENT": str(instrumented).lower(),
            "SYNAPSE_OTEL_JOURNAL_DIR": f"{folder}/journals",
            "SYNAPSE_OTEL_SHIPPER": "off",
        }
        program = Path(__file__).with_name("sdk_burst.py")
        subprocess.run(
            [str(python), "-W", "ignore", str(program), host, str(COUNT), str(result)],
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        groups = run_groups([Path(folder) / "journals"])
        recordings = (Recording.read(*(known.folder for known in group)) for group in groups)
        recorded = sum(log.event_name == "tick" for recording in recordings for log in recording.logs)
        return json.loads(result.read_text()), recorded
