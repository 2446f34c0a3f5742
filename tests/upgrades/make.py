"""``python -m tests.upgrades.make``: write the store of this release's journals, which every later release must read.

Each release adds one: ``stores/VERSION.tar.xz`` with a folder of journals, and what is in it. A store that is there is
never made again: it is what that release wrote.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Final

from synapse_otel import __version__
from synapse_otel.journal.folder import run_folders, segment_numbers, segment_path
from synapse_otel.journal.frames import FORMAT_VERSION
from synapse_otel.semconv.signal import Signal
from tests.sink import ACCEPT, Answer, Sink

STORES: Final = Path(__file__).parent / "stores"
EXPECTED: Final = "expected.json"
_NOBODYS: Final = ",".join(
    f"{key}=example"
    for key in (
        "host.name",
        "host.id",
        "process.command",
        "process.command_args",
        "process.executable.path",
        "process.owner",
        "os.version",
    )
)
"""Nothing of the machine that makes a store is in it."""
JOB: Final = """
import os, signal, sys
import synapse_otel

name, messages = sys.argv[1], int(sys.argv[2])
with synapse_otel.job("train", plugin="yolo", version="1.2", job_id=f"job-{name}", params={"lr": 0.1}) as ctx:
    for number in range(messages):
        ctx.set_progress(number + 1, messages, category="training")
        ctx.set_metrics({"loss": 1 / (number + 1), "text": "a" * 5}, category="training")
        ctx.log_message(f"{name} message {number}", "warning" if number % 10 == 9 else "info")
        ctx.log("checkpoint", {"number": number, "nested": {"list": [1, 2.5, "three"]}, "unicode": "h\\u00e9"})
        if number == messages // 2 and name == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
    ctx.log_dev_event("told to developers", {"why": "x" * 3000})
"""


def make(journals: Path) -> dict[str, Any]:
    """Record and deliver what a store holds; return by the job's id what must be found of it."""
    expected: dict[str, Any] = {}
    with Sink() as sink:
        # Delivered and kept; logs delivered and the rest not; nothing delivered, of which one is damaged.
        for name, answer, shipper in (
            ("kept", lambda _request: ACCEPT, "thread"),
            ("half", _logs_alone, "thread"),
            ("pending", _logs_alone, "off"),
            ("killed", _logs_alone, "off"),
            ("damaged", _logs_alone, "off"),
        ):
            sink.answer = answer
            before = set(run_folders(journals))
            _run(name, journals, sink.url, shipper)
            [folder] = set(run_folders(journals)) - before
            messages = 21 if name == "killed" else 40
            expected[f"job-{name}"] = {
                "folder": folder.name,
                "messages": [f"{name} message {number}" for number in range(messages)],
                "state": name,
            }
            if name == "damaged":
                _damage(segment_path(folder, segment_numbers(folder)[-1]))
    return expected


def _logs_alone(request: Any) -> Answer:
    return ACCEPT if request.path == "/v1/logs" else Answer(503)


def _run(name: str, journals: Path, endpoint: str, shipper: str) -> None:
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "SYNAPSE_", "TRACE"))
    }
    environment |= {
        "SYNAPSE_OTEL_JOURNAL_DIR": str(journals),
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "SYNAPSE_OTEL_SHIPPER": shipper,
        "SYNAPSE_OTEL_EXIT_TIMEOUT": "2",
        "SYNAPSE_OTEL_USAGE_INTERVAL": "0",
        "OTEL_RESOURCE_ATTRIBUTES": _NOBODYS,
    }
    subprocess.run([sys.executable, "-c", JOB, name, "40"], env=environment, check=False, stdout=subprocess.DEVNULL)


def _damage(path: Path) -> None:
    """Damage one record in the middle."""
    data = bytearray(path.read_bytes())
    data[data.index(b"damaged message 20")] ^= 0xFF
    path.write_bytes(data)


def main() -> None:
    """Write the store of this release, unless it is there."""
    target = STORES / f"{__version__}.tar.xz"
    if target.exists():
        sys.exit(f"{target} is there: it is what release {__version__} has written, and stays")
    with tempfile.TemporaryDirectory() as place:
        journals = Path(place) / "journals"
        expected = {"version": __version__, "format": FORMAT_VERSION, "signals": len(Signal), "jobs": make(journals)}
        (Path(place) / EXPECTED).write_text(json.dumps(expected, indent=1), encoding="utf-8")
        STORES.mkdir(exist_ok=True)
        with tarfile.open(target, "w:xz") as archive:
            for name in (EXPECTED, "journals"):
                archive.add(Path(place) / name, name, filter=_nobodys)
    print(f"{target} written")


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    main()
