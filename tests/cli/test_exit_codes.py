"""Each command exits with each of its codes, and with no other: the table of `synapse_otel.cli.codes`."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from synapse_otel.cli.codes import EXIT_CODES
from tests.cli.watching import start
from tests.runs.ports import free_port
from tests.runs.runs import command
from tests.sink import Sink
from tests.verify.test_bad_backends import SPANS, Backend, Handler, body
from tools.docs.commands import COMMANDS

pytestmark = pytest.mark.once


@dataclass(frozen=True)
class Place:
    """A folder of journals with one run, of which nothing is delivered, and an empty one."""

    root: Path
    empty: Path
    run: str
    sink: Sink
    backend: Backend

    def with_run(self, *arguments: str, **variables: str) -> int:
        return command(self.root, *arguments, **variables).returncode

    def without(self, *arguments: str, **variables: str) -> int:
        return command(self.empty, *arguments, **variables).returncode


@pytest.fixture
def place(success: Path, tmp_path: Path) -> Iterator[Place]:
    root = tmp_path / "journals"
    shutil.copytree(success, root / success.name)
    with Sink() as sink, Backend(("127.0.0.1", 0), Handler) as backend:
        threading.Thread(target=backend.serve_forever, daemon=True).start()
        yield Place(root, tmp_path / "empty", success.name, sink, backend)
        backend.shutdown()


def refused() -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}


def second_shipper(place: Place) -> int:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": place.sink.url}
    first = start(place.empty, "ship", variables=variables)
    assert first.stdout.readline().startswith(b"ready: ")
    code = place.without("ship", **variables)
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=60)
    return code


def page(place: Place) -> int:
    target = str(place.empty.with_name("run.html"))
    assert place.with_run("export", place.run, "-o", target) == 0
    return place.with_run("view", "--no-browser", target)


def verified(place: Place, code: str) -> int:
    """Verify the run, with backends of which none answers, or Jaeger alone, which has no span."""
    place.backend.answers = SPANS, body(b'{"data":[]}')
    away = f"http://127.0.0.1:{free_port()}"
    return place.with_run(
        "verify",
        SYNAPSE_OTEL_VERIFY_LOGS_URL=away,
        SYNAPSE_OTEL_VERIFY_PROMETHEUS_URL=away,
        SYNAPSE_OTEL_JAEGER_URL=away if code == "away" else place.backend.url,
    )


CASES: dict[tuple[str, int], Callable[[Place], int]] = {
    ("run", 0): lambda place: place.without("run", "--no-ship", "--", "true"),
    ("run", 2): lambda place: place.without("run", "--", "true", SYNAPSE_OTEL_SHIPPER="pigeon"),
    ("run", 126): lambda place: place.without("run", "--no-ship", "--", "/"),
    ("run", 127): lambda place: place.without("run", "--no-ship", "--", "no-such-command"),
    ("ship", 0): lambda place: place.without("ship", "--idle-exit", "0.1", **refused()),
    ("ship", 2): lambda place: place.without("ship", OTEL_EXPORTER_OTLP_ENDPOINT="ftp://x"),
    ("ship", 3): second_shipper,
    ("sync", 0): lambda place: place.with_run("sync", "--all", OTEL_EXPORTER_OTLP_ENDPOINT=place.sink.url),
    ("sync", 1): lambda place: place.with_run("sync", "--all", **refused()),
    ("sync", 2): lambda place: place.with_run("sync", place.run, "--all"),
    ("jobs", 0): lambda place: place.with_run("jobs"),
    ("jobs", 2): lambda place: place.with_run("jobs", "no-such-run"),
    ("show", 0): lambda place: place.with_run("show"),
    ("show", 2): lambda place: place.without("show"),
    ("view", 0): page,
    ("view", 2): lambda place: place.with_run("view", "--no-browser", "no-such-run"),
    ("export", 0): lambda place: place.with_run("export", "-o", str(place.empty / "tables"), "--format", "csv"),
    ("export", 2): lambda place: place.with_run("export", "no-such-run"),
    # Of a run that the real servers hold, tests/verify/test_verify_stack.py says 0; here there is none to ask them for.
    ("verify", 0): lambda place: place.without("verify", "--since", "1h"),
    ("verify", 1): lambda place: verified(place, "answers"),
    ("verify", 2): lambda place: place.with_run("verify", "--since", "soon"),
    ("verify", 4): lambda place: verified(place, "away"),
    ("doctor", 0): lambda place: place.with_run("doctor", "--no-probe"),
    ("doctor", 1): lambda place: place.with_run("doctor", "endpoint", **refused()),
    ("doctor", 2): lambda place: place.with_run("doctor", "weather"),
}


def test_the_table_has_every_command_and_each_code_a_case() -> None:
    assert set(EXIT_CODES) == set(COMMANDS)
    assert set(CASES) == {(name, code) for name, codes in EXIT_CODES.items() for code in codes}
    assert all(meaning for codes in EXIT_CODES.values() for meaning in codes.values())


@pytest.mark.parametrize(("name", "code"), CASES, ids=str)
def test_a_command_exits_with_its_code(name: str, code: int, place: Place) -> None:
    assert CASES[name, code](place) == code


@pytest.mark.parametrize("name", EXIT_CODES)
def test_a_wrong_argument_is_the_same_code_everywhere(name: str, tmp_path: Path) -> None:
    assert 2 in EXIT_CODES[name]
    assert command(tmp_path, name, "--no-such-option").returncode == 2
