"""The shipper's process that speaks gRPC has nothing in its memory that it does not need."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from synapse_otel.journal import frames
from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.frames import Kind
from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.configuration import ShipperConfiguration
from synapse_otel.shipper.launch import ensure_shipper
from tests.eventually import eventually
from tests.faults.running import Place
from tests.sink_grpc import GrpcSink


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="not Linux")
def test_without_tls_it_delivers_without_openssl(tmp_path):
    journal, _ = create_journal(tmp_path, "run", {}, destination="key", budget=1 << 26)
    journal.append(Kind.LOG, Signal.LOGS, frames.encode([1, 9, "INFO", None, "arrives", {}, b"", 0]))
    with GrpcSink() as sink:
        endpoint = Endpoint(url=sink.url, protocol="grpc")
        destination = Destination(logs=endpoint, metrics=endpoint, traces=endpoint)
        ensure_shipper(ShipperConfiguration([str(tmp_path)], destination, "key", 1.0))
        place = Place(tmp_path)
        pid = eventually(place.shipper)
        try:
            sink.wait(lambda: [record.body.string_value for record in sink.logs()] == ["arrives"], within=30)
            maps = Path(f"/proc/{pid}/maps").read_text()
        finally:
            journal.close()
            os.killpg(os.getpgid(pid), signal.SIGKILL)
    assert "cygrpc" in maps
    assert "libcrypto" not in maps
