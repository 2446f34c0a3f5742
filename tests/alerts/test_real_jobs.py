"""Real jobs by the way of the real agent and gateway: the rules say of each what `synapse-otel jobs --json` says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from synapse_otel.journal.files.locks import holder
from synapse_otel.journal.folder import SHIP_LOCK
from tests.alerts.hurried import hurried
from tests.collector.prometheuses import Prometheus
from tests.runs.runs import command
from tools.stack.polling import eventually
from tools.stack.stack import Stack

SCRIPT = Path(__file__).with_name("stateful_job.py")
STALL_SECONDS = 8
LOST_SECONDS = 10
EXPECTED = {
    "good": "done",
    "ended": "done",
    "failing": "done",
    "terminated": "done",
    "killed": "crashed",
    "exited": "crashed",
    "advancing": "live",
    "waits for another process": "live",
    "stopped": "stalled",
    "sleeping": "stalled",
}

pytestmark = [pytest.mark.stack, pytest.mark.once]


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    folder = tmp_path / "prometheus"
    folder.mkdir()
    sooner = {
        "synapse:job_silence:seconds > 300": f"synapse:job_silence:seconds > {STALL_SECONDS}",
        "> 0\n          ) > 60": "> 0\n          ) > 2",
        "synapse:job_heartbeat_lag:seconds > 300": f"synapse:job_heartbeat_lag:seconds > {LOST_SECONDS}",
    }
    configuration = hurried(folder, sooner) | {"scrape_configs": []}
    with Prometheus(folder, configuration, ["--web.enable-otlp-receiver"]) as running:
        yield running


@pytest.fixture
def environment(tmp_path: Path, prometheus: Prometheus) -> Iterator[dict[str, str]]:
    to = {"gateway": {"COLLECTOR_METRICS_ENDPOINT": f"{prometheus.url}/api/v1/otlp"}}
    with Stack(("agent", "gateway"), directory=tmp_path / "stack", environments=to) as stack:
        yield {
            **os.environ,
            "SYNAPSE_OTEL_JOURNAL_DIR": str(tmp_path / "journals"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": stack.otlp_http,
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
        }


@pytest.fixture
def jobs(environment: dict[str, str]) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Bring each job into its state."""
    command = [sys.executable, str(SCRIPT)]
    running = {
        name: subprocess.Popen(
            [*command, name], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for name in EXPECTED
    }
    try:
        for name in ("killed", "stopped", "terminated"):
            stdout = running[name].stdout
            assert stdout is not None
            assert stdout.readline() == "ready\n"
        running["killed"].kill()
        running["terminated"].terminate()
        running["stopped"].send_signal(signal.SIGSTOP)
        yield running
    finally:
        for process in running.values():
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def told_by_the_command(journals: Path) -> dict[str, str]:
    ended = command(journals, "jobs", "--json", SYNAPSE_OTEL_STALL_TIMEOUT=str(STALL_SECONDS))
    return {job["job_id"]: job["state"] for run in json.loads(ended.stdout) for job in run["jobs"]}


def told_by_the_rules(prometheus: Prometheus) -> dict[str, str]:
    found = prometheus.ask("synapse:job_state")
    assert len({labels["synapse_job_id"] for labels, _value in found}) == len(found), found
    return {labels["synapse_job_id"]: labels["state"] for labels, _value in found}


def test_the_rules_say_of_real_jobs_what_the_command_says(
    tmp_path: Path, prometheus: Prometheus, jobs: dict[str, subprocess.Popen[str]]
) -> None:
    def same() -> bool:
        assert told_by_the_command(tmp_path / "journals") == EXPECTED
        assert told_by_the_rules(prometheus) == EXPECTED
        return True

    eventually(same, timeout=90, every=1)
    causes = {
        labels["synapse_job_id"]: labels["cause"]
        for labels, _value in prometheus.ask('synapse:job_state{state="crashed"}')
    }
    # Who kills it from outside, and how a process that nobody watches ends, nobody has seen.
    assert causes == {"killed": "killed", "exited": "killed"}

    jobs["stopped"].send_signal(signal.SIGCONT)
    after = EXPECTED | {"stopped": "live"}

    def goes_on() -> bool:
        assert told_by_the_rules(prometheus) == after
        assert told_by_the_command(tmp_path / "journals") == after
        return True

    eventually(goes_on, timeout=60, every=1)


def test_a_job_of_a_lost_machine_is_crashed_as_far_as_one_knows_and_told_of_when_its_journal_is_found(
    tmp_path: Path, environment: dict[str, str], prometheus: Prometheus
) -> None:
    journals = tmp_path / "journals"

    def cause() -> str:
        found = prometheus.ask('synapse:job_state{state="crashed"}')
        return found[0][0]["cause"] if found else ""

    job = subprocess.Popen([sys.executable, str(SCRIPT), "advancing"], env=environment, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: told_by_the_rules(prometheus) == {"advancing": "live"}, timeout=60, every=0.2)
        (folder,) = (path.parent for path in journals.glob(f"*/{SHIP_LOCK}"))
        shipper = holder(folder / SHIP_LOCK)
        assert shipper is not None
        job.send_signal(signal.SIGSTOP)  # or it might start another shipper
        os.killpg(os.getpgid(shipper), signal.SIGKILL)  # with the shell that would start it again
    finally:
        job.kill()
        job.wait()
    eventually(lambda: cause() == "unheard", timeout=60, every=0.2)
    assert told_by_the_rules(prometheus) == told_by_the_command(journals) == {"advancing": "crashed"}

    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": environment["OTEL_EXPORTER_OTLP_ENDPOINT"]}
    found = command(journals, "sync", **endpoint)
    assert found.returncode == 0, found.stderr
    eventually(lambda: cause() == "killed", timeout=60, every=0.2)
    assert told_by_the_rules(prometheus) == told_by_the_command(journals) == {"advancing": "crashed"}
