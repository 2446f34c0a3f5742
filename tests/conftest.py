"""What holds for all tests: nothing of the user's is touched, and no process outlives the session."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.sink import Sink

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from xdist.scheduler import LoadFileScheduling


def _is_importable(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


# Hundreds of processes are started here: what they import is compiled once, also where the environment says never.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell has what runs in its background ignore these, and every process of the tests would inherit it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
for _number in (signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)

pytest_plugins = [
    # An installed synapse-otel brings its fixtures by its entry point; from a bare tree they are loaded here.
    *([] if entry_points(group="pytest11", name="synapse_otel") else ["synapse_otel.testing"]),
    *(["tests.stack.fixtures"] if _is_importable("tools.stack.stack") else []),
]


# Containers come with bridges on this machine, and Chromium ends its requests when the machine's network changes.
_OF_THE_NETWORK = {
    "tests/containers/test_containers.py",
    "tests/docs/test_guide_stack.py",
    "tests/docs/test_site.py",
    "tests/ui/test_browser.py",
    "tests/ui/test_images.py",
    "tests/ui/test_table.py",
}


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling | None:
    """Run what changes the machine's network, and what feels it, on one worker where each file has a worker."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "the machine's network" if file in _OF_THE_NETWORK else file

    return Scheduling(config, log)


# Property tests that say no number of their own: `make soak` runs the large one.
if _is_importable("hypothesis"):
    from hypothesis import settings

    settings.register_profile("small", settings(), max_examples=40)  # of Hypothesis's own, which is another in CI
    settings.register_profile("large", max_examples=1000, deadline=None)
    settings.load_profile("small")


@pytest.fixture
def sink() -> Iterator[Sink]:
    """What receives OTLP over HTTP, and keeps it."""
    with Sink() as running:
        yield running


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """A real Chromium, for one module: while it runs, its event loop is the thread's."""
    from tools.chromium import opened

    assert request.node.nodeid in _OF_THE_NETWORK

    with opened() as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder of its own for the whole session, and no settings from outside; its shippers end with it.

    The home folder stays as it is: what is built for the tests is cached there, and pip is configured there.
    """
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            own = name.startswith(("OTEL_", "SYNAPSE_")) and name != "SYNAPSE_OTEL_NATIVE"  # a whole run has that
            if own or name in {"TRACEPARENT", "TRACESTATE"}:
                patch.delenv(name)
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield folder
    _end_shippers(tmp_path_factory.getbasetemp())


def _end_shippers(base: Path) -> None:
    """End the shippers of journals below the session's folder: a shipper holds its lock open as long as it lives."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            held = {descriptor.readlink() for descriptor in (process / "fd").iterdir()}
        except OSError:
            continue  # another user's, or gone
        if int(process.name) != os.getpid() and any(_is_shipper_lock(path, base) for path in held):
            os.kill(int(process.name), signal.SIGTERM)


def _is_shipper_lock(path: Path, base: Path) -> bool:
    return path.is_relative_to(base) and path.name.startswith("shipper-") and path.suffix == ".lock"
