"""Actions in actors of Ray that are killed when their driver ends: what is lost of their spans, ours and the SDK's."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from threading import Lock, Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.report import Bar, Table
from benchmarks.sdk import VERSION, sdk_python
from tests.synapse_sdk.recorded import recorded_spans
from tests.synapse_sdk.running import ray_head
from tools.receiving import Receiving

RUNS = 50
SPANS = 4
"""Of the job and its three steps; as many as the action makes itself with the plain SDK."""
PLUGINS = (Path(__file__).parents[1] / "tests" / "synapse_sdk" / "plugin", Path(__file__).with_name("sdk_plugin"))


class _Counted:
    """Counts the spans that arrive over OTLP."""

    def __init__(self) -> None:
        self.spans = 0
        self._lock = Lock()

    def __call__(self, _path: str, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        found = sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
        with self._lock:
            self.spans += found


def tasks() -> Table:
    """Run a training with the instrumentor, and an action with a batch processor of the plain SDK, by turns."""
    python = sdk_python()
    counted = _Counted()
    with ExitStack() as around:
        folder = Path(around.enter_context(tempfile.TemporaryDirectory(prefix="ray-")))
        head = around.enter_context(ray_head(VERSION, folder))
        receiver = around.enter_context(Receiving(counted))
        Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        around.callback(receiver.shutdown)
        for _ in range(RUNS):
            _drive(python, folder, head["address"], "sample_plugin.training.TrainAction", INSTRUMENT="true")
            _drive(
                python,
                folder,
                head["address"],
                "stock_plugin.StockAction",
                ENDPOINT=f"http://127.0.0.1:{receiver.port}",
            )
        ours = sum(
            1
            for span in recorded_spans(folder / "journals")
            if not span.is_open and span.name in {"train sample-plugin", "prepare", "learn", "save"}
        )
    wanted = RUNS * SPANS
    rows = [
        ("plain SDK, batch processor", f"{wanted}", f"{wanted - counted.spans}"),
        ("synapse-otel", f"{wanted}", f"{wanted - ours}"),
    ]
    return Table(
        "tasks",
        f"Spans of {RUNS} actions of the real SDK in TASK mode: the actor is killed when its driver ends",
        ("", "spans", "lost"),
        rows,
        bars=[Bar("spans of actors that are killed, lost", "0", f"{wanted - ours}", met=ours == wanted)],
    )


def _drive(python: Path, folder: Path, address: str, action: str, **ours: str) -> None:
    variables = {f"SYNAPSE_OTEL_{name}": value for name, value in ours.items()}
    plugins = os.pathsep.join(map(str, PLUGINS))
    environment = {
        "PYTHONPATH": plugins,
        "SYNAPSE_OTEL_JOURNAL_DIR": str(folder / "journals"),
        "SYNAPSE_OTEL_SHIPPER": "off",
    }
    subprocess.run(
        [str(python), "-W", "ignore", str(Path(__file__).with_name("sdk_task.py")), address, action],
        env={**os.environ, **environment, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
