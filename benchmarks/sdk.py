"""What instrumenting the real Synapse SDK costs: a call beside the same call bare, the import, a plugin's start."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.report import Bar, Table
from benchmarks.unmeasured import Unmeasured

TREE = Path(__file__).parents[1]
VERSION = "2026.2.17"
PAIRS = 5
STARTS = 9
MOST_ADDED_US = 1.5
MOST_IMPORT_MS = 60.0
_IMPORT = """
import time, opentelemetry.trace
start = time.process_time()
import opentelemetry.instrumentation.instrumentor
begin = time.process_time()
from synapse_otel.integrations.synapse_sdk import SynapseInstrumentor
middle = time.process_time()
SynapseInstrumentor().instrument()
print((begin - start) * 1000, (middle - begin) * 1000, (time.process_time() - middle) * 1000)
"""
_START = """
import time, synapse_sdk.loggers, synapse_sdk.plugins.action, synapse_sdk.plugins.context, synapse_sdk.plugins.steps
print(time.process_time() * 1000)
"""


def sdk() -> Table:
    """Measure calls of the SDK's context with the logger that does nothing, bare and instrumented by turns."""
    python = sdk_python()
    rounds = [(_calls(python, instrumented=False), _calls(python, instrumented=True)) for _ in range(PAIRS)]
    bare = {name: min(one[name] for one, _ in rounds) for name in rounds[0][0]}
    ours = {name: min(one[name] for _, one in rounds) for name in bare}
    starts = [[float(found) for found in _run(python, "-c", _IMPORT).split()] for _ in range(STARTS)]
    base, imported, begun = (median(found) for found in zip(*starts, strict=True))
    begins = [[_start(python, instrumented=instrumented) for instrumented in (False, True)] for _ in range(STARTS)]
    bare_start, our_start = (min(found) for found in zip(*begins, strict=True))
    rows = [(f"`{name}`", f"{bare[name]:.2f}", f"{ours[name]:.2f}", f"{ours[name] - bare[name]:.2f}") for name in bare]
    rows.append(("import of OpenTelemetry's own base of instrumentors, ms", "", f"{base:.0f}", ""))
    rows.append(("import of the instrumentor, beyond it, ms", "", f"{imported:.0f}", ""))
    rows.append(("`instrument()`, ms, most of it what the SDK itself loads later", "", f"{begun:.0f}", ""))
    added = our_start - bare_start
    start = "a process that imports what a plugin does of the SDK, ms"
    rows.append((start, f"{bare_start:.0f}", f"{our_start:.0f}", f"{added:.0f}"))
    most = max(ours[name] - bare[name] for name in bare)
    return Table(
        "sdk",
        f"The real Synapse SDK {VERSION}, its logger that does nothing: us a call",
        ("call", "bare", "instrumented", "added"),
        rows,
        bars=[
            Bar(
                "added to a call of the real SDK",
                f"at most {MOST_ADDED_US} us",
                f"{most:.2f} us",
                met=most <= MOST_ADDED_US,
            ),
            Bar(
                "added to a process that imports the SDK",
                f"at most {MOST_IMPORT_MS:.0f} ms",
                f"{added:.0f} ms",
                met=added <= MOST_IMPORT_MS,
            ),
            Bar(
                "import of the instrumentor, its base in OpenTelemetry with it",
                f"at most {MOST_IMPORT_MS:.0f} ms",
                f"{base + imported:.0f} ms",
                met=base + imported <= MOST_IMPORT_MS,
            ),
        ],
    )


def sdk_python() -> Path:
    """Return the Python that the newest tested SDK is installed for."""
    python = TREE / ".venv-sdk" / VERSION / "bin" / "python"
    if not python.exists():
        raise Unmeasured("no real SDK: `sh tools/setup/sdk.sh .venv/bin` lays it out")
    return python


def _start(python: Path, *, instrumented: bool) -> float:
    # Without the instrumentations of HTTP clients, which are others' and installed here for the tests.
    variables = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "requests,httpx"}
    return float(_run(python, "-c", _START, SYNAPSE_OTEL_INSTRUMENT=str(instrumented).lower(), **variables))


def _calls(python: Path, *, instrumented: bool) -> dict[str, float]:
    result: dict[str, float] = json.loads(
        _run(python, str(Path(__file__).with_name("sdk_calls.py")), SYNAPSE_OTEL_INSTRUMENT=str(instrumented).lower())
    )
    return result


def _run(python: Path, *arguments: str, **variables: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "PYTHONDONTWRITEBYTECODE": "",
            "SYNAPSE_OTEL_JOURNAL_DIR": folder,
            "SYNAPSE_OTEL_SHIPPER": "off",
            **variables,
        }
        command = [str(python), "-W", "ignore", *arguments]
        return subprocess.run(
            command, env={**os.environ, **environment}, capture_output=True, text=True, check=True
        ).stdout
