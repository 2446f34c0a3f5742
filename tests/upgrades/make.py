"""``python -m tests.upgrades.make``: keep of this release what every later release must work with.

Each release adds two archives. ``stores/VERSION.tar.xz`` is a folder of journals, and what is in it.
``releases/VERSION.tar.xz`` is the package itself, to be installed beside a later release. An archive that is there is
never made again: it is what that release was.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final

from uv import find_uv_bin

from synapse_otel import __version__
from synapse_otel.journal.folder import run_folders, segment_numbers, segment_path
from synapse_otel.journal.frames import FORMAT_VERSION
from synapse_otel.semconv.signal import Signal
from tests.sink import ACCEPT, Answer, Sink

TREE: Final = Path(__file__).parents[2]
STORES: Final = Path(__file__).parent / "stores"
RELEASES: Final = Path(__file__).parent / "releases"
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


def write_store(target: Path) -> None:
    """Write the journals of this release, and what is in them."""
    with tempfile.TemporaryDirectory() as place:
        journals = Path(place) / "journals"
        expected = {"version": __version__, "format": FORMAT_VERSION, "signals": len(Signal), "jobs": make(journals)}
        (Path(place) / EXPECTED).write_text(json.dumps(expected, indent=1), encoding="utf-8")
        with tarfile.open(target, "w:xz") as archive:
            for name in (EXPECTED, "journals"):
                archive.add(Path(place) / name, name, filter=_nobodys)


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


_HOOK: Final = "[tool.hatch.build.hooks.custom]"
"""In pyproject.toml: it bundles the page and compiles the module."""
_SOURCES: Final = ("src", "LICENSE", "README.md", "pyproject.toml")
_LEFT_OUT: Final = ("static", "_native.*", "__pycache__")


def write_release(target: Path, tree: Path = TREE) -> None:
    """Write the pure wheel of a tree, without the page: the same tree makes the same bytes."""
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "tree"
        copy.mkdir()
        for name in _SOURCES:
            if (tree / name).is_dir():
                shutil.copytree(tree / name, copy / name, ignore=shutil.ignore_patterns(*_LEFT_OUT))
            else:
                shutil.copy(tree / name, copy / name)
        project = (copy / "pyproject.toml").read_text(encoding="utf-8")
        if _HOOK not in project:
            sys.exit(f"pyproject.toml has no {_HOOK} any more: say here how a wheel is built without page and module")
        (copy / "pyproject.toml").write_text(project.replace(_HOOK, ""), encoding="utf-8")
        build = ("build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", place)
        subprocess.run([find_uv_bin(), *build, copy], check=True)
        (wheel,) = Path(place).glob("*-py3-none-any.whl")
        with zipfile.ZipFile(wheel) as files, tarfile.open(target, "w:xz", preset=9) as archive:
            for name in sorted(files.namelist()):
                content = files.read(name)
                member = tarfile.TarInfo(name)  # nobody's, of no time
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


def main() -> None:
    """Write what is kept of this release, unless it is there."""
    for folder, write in ((STORES, write_store), (RELEASES, write_release)):
        target = folder / f"{__version__}.tar.xz"
        if target.exists():
            print(f"{target} is there: it is what release {__version__} was, and stays")
            continue
        folder.mkdir(exist_ok=True)
        write(target)
        print(f"{target} written")


if __name__ == "__main__":
    main()
