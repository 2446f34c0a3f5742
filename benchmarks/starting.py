"""What importing and beginning a job costs."""

from __future__ import annotations

import json
import subprocess
import sys
from statistics import median

from benchmarks.processes import TREE, Place, place
from benchmarks.report import Bar, Table

RUNS = 7
MOST_MS = 60.0
MOST_FOR_THE_SHIPPER_MS = 5.0
_IMPORTS = """if True:
    import time
    begin = time.perf_counter()
    import opentelemetry.trace
    middle = time.perf_counter()
    from synapse_otel import job  # the package itself loads nothing
    end = time.perf_counter()
    import json
    print(json.dumps({"opentelemetry": (middle - begin) * 1e3, "synapse_otel": (end - middle) * 1e3}))
"""


def starting() -> Table:
    """Return the table of imports and beginnings."""
    imports, begins = [], {"process": [], "off": []}  # type: ignore[var-annotated]
    for _ in range(RUNS):
        with place("http://127.0.0.1:9") as here:
            imports.append(_imported(here))
        for shipper, found in begins.items():
            with place("http://127.0.0.1:9", SYNAPSE_OTEL_SHIPPER=shipper, SYNAPSE_OTEL_EXIT_TIMEOUT="0") as here:
                found.append(here.run("beginning"))
    ours = median(one["synapse_otel"] for one in imports)
    api = median(one["opentelemetry"] for one in imports)
    with_shipper, without = (median(one["first"] for one in begins[name]) for name in ("process", "off"))
    second = median(one["second"] for one in begins["off"])
    starts = with_shipper - without
    rows = [
        ("`import opentelemetry.trace`", f"{api:.0f}"),
        ("`from synapse_otel import job`, beyond it", f"{ours:.0f}"),
        ("the first job of a process begins, no shipper to start", f"{without:.0f}"),
        ("what it takes longer where the shipper's process is to be started", f"{starts:.1f}"),
        ("a further job begins", f"{second:.1f}"),
    ]
    bars = [
        Bar("import, over `import opentelemetry.trace`", f"{MOST_MS:.0f} ms", f"{ours:.0f} ms", ours <= MOST_MS),
        Bar(
            "starting the shipper's process",
            f"{MOST_FOR_THE_SHIPPER_MS:.0f} ms",
            f"{starts:.1f} ms",
            starts <= MOST_FOR_THE_SHIPPER_MS,
        ),
    ]
    return Table("start", "Importing and beginning", ("what", "ms"), rows, f"Median of {RUNS} processes.", bars)


def _imported(here: Place) -> dict[str, float]:
    """Return what the imports cost in a process of their own, in ms."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTS], env=here.environment(), cwd=TREE, check=True, capture_output=True
    )
    return json.loads(done.stdout)  # type: ignore[no-any-return]
