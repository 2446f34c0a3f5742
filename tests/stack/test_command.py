"""`python -m tools.stack up` starts everything, leaves nothing behind, and says in one line what is in its way."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.stack.__main__ import main
from tools.stack.fetch import answers_ok, get_json
from tools.stack.polling import eventually
from tools.stack.ports import KNOWN, Ports, chosen_port, is_free

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.stack


class Up:
    """A running `up` on free ports, its output in a file."""

    def __init__(self, folder: Path) -> None:
        self.ports = Ports()
        self.output = folder / "output"
        moved = {known.variable: str(self.ports[name]) for name, known in KNOWN.items()}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tools.stack", "up"],
                cwd=ROOT,
                env=os.environ | moved | {"TMPDIR": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def wait_ready(self) -> list[tuple[str, int]]:
        """Return the servers' program names and process ids, once all are ready."""
        eventually(lambda: "Ctrl-C stops" in self.said() or self.process.poll() is not None, timeout=120)
        assert self.process.poll() is None, self.said()
        return children(self.process.pid)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    running = Up(tmp_path)
    yield running
    if running.process.poll() is None:
        running.process.kill()
    running.process.wait()
    running.ports.close()


def children(pid: int) -> list[tuple[str, int]]:
    """Return the children of a process, each with its program's name (Linux)."""
    listed = " ".join((task / "children").read_text() for task in Path(f"/proc/{pid}/task").iterdir())
    ids = [int(text) for text in listed.split()]
    return sorted((Path(f"/proc/{child}/comm").read_text().strip(), child) for child in ids)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything(up: Up, tmp_path: Path, number: signal.Signals) -> None:
    servers = up.wait_ready()
    assert [name for name, _pid in servers] == ["jaeger", "otelcol", "otelcol", "prometheus", "victoria-logs"]
    for name in ("otlp_http", "otlp_grpc", "jaeger", "prometheus", "victorialogs"):
        assert f"http://127.0.0.1:{up.ports[name]}" in up.said()
        assert not is_free(up.ports[name])
    assert up.said().count("its web page comes with docker compose") == 2
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{up.ports['otlp_http']}\n" in up.said()
    assert f"http://127.0.0.1:{up.ports['victorialogs']}/select/vmui/#/?query=*&" in up.said()
    assert get_json(f"http://127.0.0.1:{up.ports['jaeger']}/api/services")["data"] in (None, [])

    up.process.send_signal(number)

    assert up.process.wait(timeout=30) == 0
    assert up.said().endswith("stopped\n")
    assert "Traceback" not in up.said()
    assert not any(is_running(pid) for _name, pid in servers)
    assert all(is_free(up.ports[name]) for name in KNOWN)
    assert list(tmp_path.iterdir()) == [up.output]


def test_a_dead_server_is_named_and_the_rest_stopped(up: Up) -> None:
    servers = up.wait_ready()

    os.kill(dict(servers)["prometheus"], signal.SIGKILL)

    assert up.process.wait(timeout=30) == 1
    assert "prometheus ended by itself (SIGKILL); the end of its log" in up.said()
    assert "Server is ready to receive web requests" in up.said()
    assert "Traceback" not in up.said()
    assert not any(is_running(pid) for _name, pid in servers)


def test_servers_end_with_a_killed_parent(up: Up) -> None:
    servers = up.wait_ready()

    up.process.kill()

    eventually(lambda: not any(is_running(pid) for _name, pid in servers))


def test_a_taken_port_is_one_line_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ports = Ports()
    for name, known in KNOWN.items():
        monkeypatch.setenv(known.variable, str(ports[name]))
    with socket.create_server(("127.0.0.1", ports["victorialogs"])):
        assert main(["up"]) == 2
    ports.close()

    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"port {ports['victorialogs']} (VictoriaLogs) is taken" in said
    assert "STACK_LOGS_PORT=" in said


def test_a_wrong_port_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("STACK_TRACES_PORT", "99999")
    assert main(["up"]) == 2
    assert capsys.readouterr().err == "STACK_TRACES_PORT='99999' is no port number: 1 to 65535\n"


def test_a_port_keeps_to_its_former_name_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STACK_LOKI_PORT", "4")
    monkeypatch.setenv("STACK_JAEGER_PORT", "5")
    monkeypatch.setenv("STACK_TRACES_PORT", "6")
    ports = {name: chosen_port(known) for name, known in KNOWN.items()}
    assert (ports["victorialogs"], ports["jaeger"]) == (4, 6)
    assert capsys.readouterr().err.splitlines() == [
        "STACK_JAEGER_PORT is now called STACK_TRACES_PORT; the old name still works",
        "STACK_LOKI_PORT is now called STACK_LOGS_PORT; the old name still works",
    ]


def test_an_unknown_program_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["build", "tempo"])
    known = "collector, collector-newest, jaeger, prometheus, victorialogs, kafka"
    assert f"no such program: tempo; there are {known}" in capsys.readouterr().err


def test_build_says_where_the_binaries_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "jaeger"]) == 0
    said = capsys.readouterr().out.split()
    assert said[:2] == ["jaeger", "2.13.0"]
    assert (Path(said[2]) / "jaeger").exists()


def test_a_closed_port_does_not_answer() -> None:
    ports = Ports()
    assert not answers_ok(f"http://127.0.0.1:{ports['nobody']}")
    ports.close()


def test_two_holders_of_ports_never_share_one() -> None:
    first, second = Ports(), Ports()
    ours = {first[str(number)] for number in range(200)}
    theirs = {second[str(number)] for number in range(200)}
    assert not ours & theirs
    first.close()
    second.close()


def test_eventually_raises_the_last_failure() -> None:
    began = time.monotonic()
    with pytest.raises(AssertionError, match="3 is not 4"):
        eventually(lambda: _assert_four(3), timeout=0.2, every=0.01)
    with pytest.raises(AssertionError, match=r"after 0.2 s still \[\]"):
        eventually(list, timeout=0.2, every=0.01)
    assert time.monotonic() - began < 5
    assert eventually(lambda: [4]) == [4]


def _assert_four(number: int) -> bool:
    assert number == 4, f"{number} is not 4"
    return True
