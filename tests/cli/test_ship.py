"""``synapse-otel ship``: the shipper in the foreground."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading

import pytest

from synapse_otel.runs import Overview
from tests.cli.watching import start, told
from tests.eventually import eventually
from tests.runs.conftest import only
from tests.runs.runs import run
from tests.sink import ACCEPT, Answer, attributes

pytestmark = pytest.mark.once


def settings(sink):
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url, "OTEL_METRIC_EXPORT_INTERVAL": "500"}


def uids(sink):
    return [attributes(record)["log.record.uid"] for record in sink.logs()]


def test_it_is_ready_delivers_and_stops_when_told(sink, tmp_path):
    address = str(tmp_path / "notify")
    ready = tmp_path / "ready"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(address)
        supervisor.settimeout(60)
        root = tmp_path / "j"
        process = start(
            root, "ship", "--ready-file", str(ready), variables={**settings(sink), "NOTIFY_SOCKET": address}
        )
        assert supervisor.recv(100) == b"READY=1"
        assert process.stdout.readline().decode() == f"ready: {root} to {sink.url}\n"
        assert ready.read_text() == f"{process.pid}\n"
        assert run(root, "success", **settings(sink)) == 0
        folder = only(root)
        eventually(lambda: Overview.read([folder]).account.complete, within=30)
        process.terminate()
        _, err = process.communicate(timeout=60)
        assert supervisor.recv(100) == b"STOPPING=1"
    assert process.returncode == 0
    assert not ready.exists()
    delivered = Overview.read([folder]).account.delivered
    assert told(err) == [f"synapse-otel: stopped: delivered {delivered} · dropped 0"]
    assert len(uids(sink)) == len(set(uids(sink))) == 6


def test_a_second_one_says_so_and_leaves(sink, tmp_path):
    first = start(tmp_path, "ship", variables=settings(sink))
    first.stdout.readline()
    second = start(tmp_path, "ship", variables=settings(sink))
    out, err = second.communicate(timeout=60)
    assert (second.returncode, out) == (3, b"")
    assert err.decode() == f"synapse-otel: another shipper already delivers to {sink.url} from {tmp_path}\n"
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    assert first.returncode == 0


def test_it_ends_when_it_is_idle_and_may(sink, tmp_path):
    process = start(tmp_path, "ship", "--idle-exit", "0.5", variables=settings(sink))
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_lost_when_it_ends_in_the_middle_of_a_request(number, sink, tmp_path):
    asked, go_on = threading.Event(), threading.Event()

    def answer(_request: object) -> Answer:
        asked.set()
        go_on.wait(30)
        return ACCEPT

    assert run(tmp_path, "success", **settings(sink)) == 0
    sink.answer = answer
    process = start(tmp_path, "ship", variables=settings(sink))
    assert asked.wait(60)
    process.send_signal(number)
    if number == signal.SIGKILL:
        process.communicate(timeout=60)
    go_on.set()
    process.communicate(timeout=60)
    before = len(uids(sink))
    again = start(tmp_path, "ship", "--idle-exit", "0.1", variables=settings(sink))
    again.communicate(timeout=60)
    overview = Overview.read([only(tmp_path)])
    assert overview.account.complete
    assert overview.account.delivered == overview.account.emitted
    assert len(set(uids(sink))) == 6
    if number == signal.SIGTERM:
        assert process.returncode == 0
        assert len(uids(sink)) == 6, f"what was accepted at the end is sent again: {before} before"


def test_a_folder_of_somebody_else_is_not_delivered(sink, tmp_path):
    root = tmp_path / "theirs"
    root.mkdir()
    os.chown(root, 65_534, 65_534)
    process = start(root, "ship", variables=settings(sink))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert re.fullmatch(r"synapse-otel: .*/theirs belongs to another user\n", err.decode())
    assert not list(root.iterdir())
