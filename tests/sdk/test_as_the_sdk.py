"""The OpenTelemetry SDK's own tests of spans, of the release that is installed, pass with our tracer provider."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.unpacking import unpack
from tools.stack.cache import cache_folder

pytestmark = pytest.mark.once

PINS = Path(__file__).parents[2] / "constraints" / "dev.txt"
OF_PROCESSORS = (
    "--ignore=tests/trace/test_span_processor.py",
    "--deselect=tests/trace/export/test_export.py::TestSimpleSpanProcessor::test_on_start_accepts_context",
    "--deselect=tests/trace/export/test_export.py::TestBatchSpanProcessor::test_on_start_accepts_parent_context",
)
"""They want to hear of a span when it begins."""


@pytest.fixture(scope="module")
def of_the_sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of the SDK's source distribution."""
    release = version("opentelemetry-sdk")
    folder = tmp_path_factory.mktemp("sdk")
    pin = re.search(rf"^opentelemetry-sdk=={re.escape(release)}( \\\n +--hash=\S+)+", PINS.read_text(), re.MULTILINE)
    assert pin is not None, f"opentelemetry-sdk {release} is not the one that is pinned"
    (folder / "pin.txt").write_text(pin[0])
    download = "pip", "download", "--quiet", "--no-deps", "--no-binary=opentelemetry-sdk", "--require-hashes"
    kept = cache_folder() / f"opentelemetry-sdk-{release}"
    archives = list(kept.glob("*.tar.gz"))
    if not archives:
        command = [sys.executable, "-m", *download, "-r", str(folder / "pin.txt"), "-d", str(kept)]
        subprocess.run(command, check=True, timeout=240)
        archives = list(kept.glob("*.tar.gz"))
    unpack(archives[0], folder)
    (unpacked,) = folder.glob("opentelemetry_sdk-*")
    return unpacked


@pytest.mark.parametrize(("always", "left_out"), [("", ()), ("1", OF_PROCESSORS)], ids=["as it is", "always ours"])
def test_they_pass_with_our_spans(of_the_sdk: Path, always: str, left_out: tuple[str, ...]) -> None:
    here = Path(__file__).parent
    path = os.pathsep.join((str(here), str(here.parents[1] / "src")))
    programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))  # one of them runs `python`
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "as_the_sdk", "-p", "no:cacheprovider", "tests/trace"]
    ended = subprocess.run(
        [*command, *left_out],
        cwd=of_the_sdk,
        env=os.environ | {"PYTHONPATH": path, "ALWAYS_OURS": always, "PATH": programs},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-20_000:]
    passed = int(re.search(r"(\d+) passed", ended.stdout)[1])
    ours = int(re.search(r"spans of ours: (\d+)", ended.stdout)[1])
    assert passed > 200
    assert ours >= (30 if always else 10)
