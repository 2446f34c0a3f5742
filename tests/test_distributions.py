"""Distributions that set up OpenTelemetry on their own: Logfire itself, and `opentelemetry-instrument`."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from tests.hosts import HEAD, RUN, SOURCE, names, python, ran
from tests.sink import body

pytestmark = pytest.mark.once

TREE = Path(__file__).parents[1]


def test_under_opentelemetry_instrument(tmp_path, sink):
    """The same backend for both ways, and the journal in place of the host's: everything is there once."""
    exporters = {f"OTEL_{name}_EXPORTER": "otlp" for name in ("TRACES", "METRICS", "LOGS")}
    command = [str(Path(sys.executable).with_name("opentelemetry-instrument")), sys.executable]
    script = HEAD + RUN + "\nrun()\n"
    _output, errors = python(
        script,
        tmp_path,
        *command,
        OTEL_SERVICE_NAME="host",
        OTEL_EXPORTER_OTLP_ENDPOINT=sink.url,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        SYNAPSE_OTEL_HOST_PROVIDERS="not",
        **exporters,
    )
    assert "pending 0 · dropped 0" in errors
    spans = {span.name: span for span in sink.spans()}
    assert sorted(span.name for span in sink.spans()) == ["own span", "train yolo"]
    assert spans["own span"].parent_span_id == spans["train yolo"].span_id
    assert [body(record) for record in sink.logs()].count("half way") == 1
    [sample] = sink.points("synapse.job.metric")
    assert (sample.value, sample.resource["service.name"]) == (0.5, "host")


@pytest.fixture(scope="session")
def logfire_folder() -> Path:
    """The real Logfire, of the version that `constraints/peers.txt` pins, in the user's cache folder."""
    lines = (TREE / "constraints" / "peers.txt").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    pins = [line.split("    # via")[0] for line in lines if line.startswith(("logfire==", "executing=="))]
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "synapse-otel"
    folder = base / f"logfire-{sha256(repr(pins).encode()).hexdigest()[:16]}"
    base.mkdir(parents=True, exist_ok=True)
    with (base / "logfire.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            (folder / "pins.txt").write_text("\n".join(pins), encoding="utf-8")
            command = [
                Path(sys.executable).with_name("uv"),
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--require-hashes",
            ]
            subprocess.run(
                [*command, "--python", sys.executable, "--target", folder, "-r", folder / "pins.txt"], check=True
            )
            (folder / "whole").touch()
    return folder


LOGFIRE = """
import logfire
readers = [InMemoryMetricReader()]
logfire.configure(
    send_to_logfire=False, console=False, inspect_arguments=False,
    additional_span_processors=[SimpleSpanProcessor(spans)],
    advanced=logfire.AdvancedOptions(log_record_processors=[SimpleLogRecordProcessor(logs)]),
    metrics=logfire.MetricsOptions(additional_readers=readers),
)
with logfire.span("request"):
    run()
    logfire.info("hello {name}", name="you")
print(json.dumps([at_host(), in_journal()]))
"""


@pytest.mark.parametrize("mode", ["only", "also", "not"])
def test_logfire(tmp_path, logfire_folder, mode):
    paths = os.pathsep.join((str(SOURCE), str(logfire_folder)))
    host, journal, errors = ran(LOGFIRE, tmp_path, mode, PYTHONPATH=paths)
    of_job, of_logfire = {"train yolo", "train yolo (started)"}, {"request", "hello {name}", "own span"}
    assert set(host["spans"]) == (of_logfire if mode == "not" else of_logfire | of_job)
    kept = {"only": set(), "also": of_logfire | {"train yolo"}, "not": {"train yolo"}}[mode]
    assert set(journal["spans"]) == kept
    assert bool(journal["curves"]) is (mode != "only")
    assert ("half way" in {text for _name, text in names(host["logs"])}) is (mode != "not")
    assert "trace " + host["spans"]["request"][0] in errors, "the job is in Logfire's trace, whichever way it goes"
    if mode == "also":
        assert journal["spans"] == {name: ids for name, ids in host["spans"].items() if name in kept}
