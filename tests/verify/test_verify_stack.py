"""`verify` and `--repair` against the real servers: exactly what was taken away on the way is missed and brought."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from synapse_otel import read
from synapse_otel.journal.folder import read_run, run_folders
from tests.verify.conftest import Recorder, counts
from tools.stack.polling import eventually
from tools.stack.query import equal_fields, log_records, prometheus_series
from tools.stack.stack import Stack

pytestmark = pytest.mark.stack

LOSSY = """
processors:
  filter/lossy:
    error_mode: propagate
    logs: {log_record: ['IsMatch(log.body, "^message 1-1[0-9]$")']}
    metrics: {datapoint: ['datapoint.attributes["synapse.metric.name"] == "epoch" and datapoint.value_double < 7.5']}
    traces: {span: ['span.name == "round 2"']}
service:
  pipelines:
    logs/default: {processors: [filter/lossy, transform/victorialogs]}
    metrics/default: {processors: [filter/lossy]}
    traces/default: {processors: [filter/lossy]}
"""
CHANGING = """
processors:
  transform/changing:
    error_mode: propagate
    log_statements:
      - context: log
        statements:
          - set(log.body, "forged") where log.body == "message 1-1"
          - set(log.severity_number, 17) where log.body == "message 1-2"
          - set(log.event_name, "forged.event") where log.body == "message 1-3"
          - set(log.body, "message ****") where log.body == "message 1-4"
          - set(log.body, "") where log.body == "message 1-5"
service:
  pipelines:
    logs/default: {processors: [transform/changing, transform/victorialogs]}
"""
REFUSING = """
connectors:
  routing/age:
    table:
      - context: datapoint
        condition: datapoint.time_unix_nano < {before}
        pipelines: [metrics/unstorable]
"""
HARMLESS = "processors: {}\n"
MESSAGES, SAMPLES, SPANS = 102, 200, 3
HOUR = 3600


class Servers(Stack):
    """The whole stack; its gateway reads one more file."""

    def __init__(self, folder: Path) -> None:
        self.extra = folder / "extra.yaml"
        self.extra.write_text(HARMLESS)
        super().__init__(directory=folder, configs={"gateway": [str(self.extra)]})

    def set_gateway(self, configuration: str) -> None:
        """Restart the gateway with this in its further file."""
        self.extra.write_text(configuration)
        self.restart("gateway")

    def set_prometheus_window(self, window: str) -> None:
        """Restart Prometheus with this `out_of_order_time_window`."""
        file = self.directory / "prometheus" / "configuration" / "prometheus.yaml"
        text, count = re.subn("(?m)(out_of_order_time_window:) .*$", rf"\1 {window}", file.read_text())
        assert count == 1
        file.unlink()  # a link
        file.write_text(text)
        self.restart("prometheus")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with Servers(tmp_path_factory.mktemp("servers")) as running:
        yield running


def journal_of(folder: Path) -> str:
    run = read_run(folder)
    assert run is not None
    return run.journal


def stored_uids(recorder: Recorder, folder: Path) -> list[str]:
    """Return the uids of a run's records in the log store, asked in another way."""
    query = equal_fields({"service.instance.id": journal_of(folder)})
    found = log_records(recorder.stack.victorialogs, query, time.time() - 600, time.time() + 60)
    return [one.fields["log.record.uid"] for one in found]


def samples_held(servers: Servers, folder: Path) -> int:
    """Return how many of a run's samples Prometheus holds, asked in another way."""
    selector = f'synapse_job_metric{{instance="{journal_of(folder)}"}}'
    held = prometheus_series(servers.prometheus, selector, time.time() - 4 * HOUR, time.time())
    return sum(len(one.samples) for one in held)


def test_all_of_a_good_and_of_a_killed_run_is_found(recorder: Recorder) -> None:
    for mode in ("good", "killed"):
        folder = recorder.run(mode)
        report = recorder.verify(folder, "--wait", "30")
        assert report["complete"], report
        assert report["verified"]
        found = counts(report, "expected", "found", "missing", "different")
        assert found["logs"] == (MESSAGES, MESSAGES, 0, 0)
        assert found["samples"] == (SAMPLES, SAMPLES, 0, 0)
        assert found["spans"] == (SPANS, SPANS, 0, 0)
        assert found["progress"][0] == found["progress"][1] > 6
        assert report["repaired"] == {}


def test_what_a_gateway_drops_is_missed_exactly_and_brought_exactly(recorder: Recorder, servers: Servers) -> None:
    servers.set_gateway(LOSSY)
    folder = recorder.run()
    wanted = {"logs": (10, 0), "samples": (16, 0), "progress": (0, 0), "spans": (1, 0)}

    def settled() -> dict[str, Any]:
        found = recorder.verify(folder, code=1)
        assert counts(found, "missing", "different") == wanted
        return found

    report = eventually(settled)
    assert all("epoch" in one for one in report["signals"]["samples"]["examples"]["missing"])
    assert report["signals"]["spans"]["examples"]["missing"][0].endswith("round 2")

    servers.set_gateway(HARMLESS)
    before = stored_uids(recorder, folder)
    repaired = recorder.verify(folder, "--repair")
    assert repaired["repaired"] == {"logs": 10, "metrics": 16, "spans": 1}
    assert counts(repaired, "missing", "different", "double") == dict.fromkeys(repaired["signals"], (0, 0, 0))
    after = stored_uids(recorder, folder)
    assert len(after) == len(set(after)) == MESSAGES
    assert len(set(after) - set(before)) == 10
    again = recorder.verify(folder, "--repair")
    assert again["repaired"] == {}, "nothing is sent that is there"


def test_a_record_that_was_changed_on_the_way_is_different(recorder: Recorder, servers: Servers) -> None:
    servers.set_gateway(CHANGING)
    folder = recorder.run()

    def settled() -> dict[str, Any]:
        found = recorder.verify(folder, code=1)
        assert counts(found, "found", "missing", "different")["logs"] == (MESSAGES - 4, 0, 4)
        return found

    report = eventually(settled)
    servers.set_gateway(HARMLESS)
    shown = sorted(one.partition(": ")[2] for one in report["signals"]["logs"]["examples"]["different"])
    assert shown == [
        "another body, ''",
        "another body, 'forged'",
        "another event name, 'forged.event'",
        "severity 17 instead of 9",
    ]
    repaired = recorder.verify(folder, "--repair", code=1)
    assert repaired["repaired"] == {}, "a backend would keep both"


def test_texts_of_any_kind_are_found_as_they_were_recorded(recorder: Recorder) -> None:
    folder = recorder.run("odd")
    report = recorder.verify(folder, "--wait", "30")
    assert report["complete"], report["signals"]["logs"]
    assert counts(report, "found", "different")["logs"] == (MESSAGES + 21, 0)


def test_what_a_killed_log_store_has_lost_is_missed_exactly_and_brought(recorder: Recorder) -> None:
    folder = recorder.run()
    eventually(lambda: len(stored_uids(recorder, folder)) == MESSAGES, every=0.02)
    recorder.stack.kill("victorialogs")
    recorder.stack.restart("victorialogs")
    stored = stored_uids(recorder, folder)
    lost = MESSAGES - len(stored)
    assert lost > 0, "the store had written everything: nothing was tested"
    report = recorder.verify(folder, code=1)
    assert counts(report, "found", "missing")["logs"] == (MESSAGES - lost, lost)
    repaired = recorder.verify(folder, "--repair")
    assert repaired["repaired"] == {"logs": lost}
    after = stored_uids(recorder, folder)
    assert len(after) == len(set(after)) == MESSAGES


def test_old_samples_that_a_gateway_kept_away_are_missed_and_brought(recorder: Recorder, servers: Servers) -> None:
    folder = recorder.run(ship=False)
    times = read.run(folder.name, folder=folder.parent).metrics()["train", "loss"].times
    servers.set_gateway(REFUSING.format(before=times[SAMPLES // 4]))  # of two metrics, in two rounds
    assert recorder.command("sync", str(folder)).returncode == 0

    def settled() -> bool:
        found = counts(recorder.verify(folder, code=1), "missing")
        return (found["logs"], found["samples"]) == ((0,), (SAMPLES // 2,))

    eventually(settled)
    servers.set_gateway(HARMLESS)
    repaired = recorder.verify(folder, "--repair")
    assert repaired["repaired"] == {"metrics": SAMPLES // 2}
    assert samples_held(servers, folder) == SAMPLES


def test_what_is_still_refused_after_a_repair_is_said(recorder: Recorder, servers: Servers) -> None:
    servers.set_gateway(LOSSY)
    folder = recorder.run()
    report = recorder.verify(folder, "--wait", "10", code=1)
    assert counts(report, "missing")["spans"] == (1,)
    again = recorder.verify(folder, "--repair", code=1)
    assert again["repaired"]["logs"] == 10
    assert counts(again, "missing")["logs"] == (10,)
    assert "does not take it" in again["notes"][0]
    servers.set_gateway(HARMLESS)


CLOCK = Path(__file__).parents[1] / "faults" / "clock"
CLOCK_ROUND = 20
"""Samples of a round of its jobs."""
BEFORE_1970, FAR = -70 * 365 * 86_400, 150 * 365 * 86_400
AHEAD = "from a clock that was ahead: the backend does not take times that far in the future"


def clock_run(recorder: Recorder, shifts: list[float]) -> Path:
    """Run a job whose clock is shifted by so many seconds, in one round after the other; nothing of it is sent yet."""
    recorder.place.variables |= {
        "SYNAPSE_OTEL_SHIPPER": "off",
        "PYTHONPATH": os.pathsep.join((str(CLOCK), recorder.place.environment()["PYTHONPATH"])),
    }
    ended = recorder.place.run(str(shifts[0]), *shifts[1:], program=CLOCK / "jobs.py")
    assert ended.code == 0, ended.err
    del recorder.place.variables["PYTHONPATH"]
    (folder,) = run_folders(recorder.place.root)
    return folder


def test_old_samples_that_prometheus_refused_are_missed_exactly_and_brought(
    recorder: Recorder, servers: Servers
) -> None:
    folder = clock_run(recorder, [-3 * HOUR, -3 * HOUR, 0])
    servers.set_prometheus_window("0s")  # it then takes nothing that is an hour older than its newest sample
    assert recorder.command("sync", str(folder)).returncode == 0

    def settled() -> dict[str, Any]:
        found = recorder.verify(folder, code=1)
        missing = counts(found, "missing")
        assert (missing["logs"], missing["samples"], missing["spans"]) == ((0,), (CLOCK_ROUND,), (0,))
        return found

    report = eventually(settled)
    assert samples_held(servers, folder) == CLOCK_ROUND
    servers.set_prometheus_window("168h")
    repaired = recorder.verify(folder, "--repair")
    refused = CLOCK_ROUND + counts(report, "missing")["progress"][0]
    assert repaired["repaired"] == {"metrics": refused}
    assert samples_held(servers, folder) == 2 * CLOCK_ROUND


@pytest.mark.parametrize(
    ("shifts", "kept_away"),
    [
        ([0, -0.5, -HOUR], {}),
        ([0, -5 * HOUR, 5 * HOUR, -HOUR], {"samples": {AHEAD: 20}}),
        (
            [BEFORE_1970, 0, BEFORE_1970],
            {
                "samples": {
                    "from a clock that was before 1970: the backend does not take such times": 1,
                    "in the same millisecond as another sample of the series": 19,
                }
            },
        ),
        ([FAR, FAR - 1, 0], {"samples": {AHEAD: 20}, "logs": {AHEAD: 22}}),
    ],
    ids=["set back", "back and forth", "from before 1970 to now", "from the future to now"],
)
def test_of_a_wrong_clock_is_said_what_no_backend_takes(
    recorder: Recorder, shifts: list[float], kept_away: dict[str, dict[str, int]]
) -> None:
    folder = clock_run(recorder, shifts)
    assert recorder.command("sync", str(folder)).returncode == 0
    report = recorder.verify(folder, "--wait", "20")
    found = counts(report, "expected", "found")
    assert {name: one["kept_away"] for name, one in report["signals"].items() if one["kept_away"]} == kept_away
    for name, (expected, held) in found.items():
        assert expected - held == sum(kept_away.get(name, {}).values())
    assert found["samples"][0] == CLOCK_ROUND * (len(shifts) - 1)


def test_a_run_that_was_not_delivered_is_not_repaired(recorder: Recorder) -> None:
    folder = recorder.run(ship=False)
    report = recorder.verify(folder, "--repair", code=1)
    assert counts(report, "missing")["logs"] == (MESSAGES,)
    assert report["pending"] > MESSAGES
    assert report["repaired"] == {}
    assert "sync" in report["notes"][0]


def test_records_that_came_twice_are_counted_and_not_missing(recorder: Recorder) -> None:
    folder = recorder.run(ship=False)
    assert recorder.command("sync", str(folder)).returncode == 0
    for cursor in folder.glob("cursor-*"):
        cursor.unlink()
    assert recorder.command("sync", str(folder)).returncode == 0

    def settled() -> dict[str, Any]:
        found = recorder.verify(folder, "--wait", "20")
        assert counts(found, "found", "double")["logs"] == (MESSAGES, MESSAGES)
        return found

    report = eventually(settled)
    assert counts(report, "found", "different")["samples"] == (SAMPLES, 0)
    assert len(report["signals"]["logs"]["examples"]["double"]) == 5


def test_of_a_run_whose_records_were_deleted_nothing_is_claimed(recorder: Recorder) -> None:
    recorder.place.variables |= {"SYNAPSE_OTEL_JOURNAL_KEEP": "false", "SYNAPSE_OTEL_JOURNAL_KEPT_BUDGET": "0"}
    folder = recorder.run()
    eventually(lambda: not list(folder.glob("*.segment")))
    report = recorder.verify(folder, code=4)
    assert report["signals"]["logs"]["unverified"] == MESSAGES
    assert report["signals"]["samples"]["unverified"] >= SAMPLES
    assert (report["complete"], report["verified"]) == (True, False)


def test_of_a_run_with_deleted_segments_the_rest_is_verified(recorder: Recorder) -> None:
    recorder.place.variables["SYNAPSE_OTEL_JOURNAL_BUDGET"] = "16MiB"
    folder = recorder.run("large")
    assert recorder.verify(folder, "--wait", "30")["complete"]
    first, *others = sorted(folder.glob("*.segment"))
    assert others
    first.unlink()
    report = recorder.verify(folder, code=4)
    logs = report["signals"]["logs"]
    assert logs["unverified"] > 0
    assert logs["found"] == logs["expected"] == MESSAGES + 4000 - logs["unverified"]
    assert (logs["missing"], logs["different"]) == (0, 0)


def test_all_runs_of_a_day_with_metrics_for_an_alert(recorder: Recorder, tmp_path: Path) -> None:
    good = recorder.run()
    recorder.verify(good, "--wait", "30")
    recorder.place.end_shippers()  # or it would deliver the next one
    pending = recorder.run(ship=False)
    file = tmp_path / "verify.prom"
    ended = recorder.command("verify", "--since", "24h", "--textfile", str(file))
    assert ended.returncode == 1, ended.stderr
    lines = ended.stdout.splitlines()
    assert f"{good.name}  complete" in lines
    assert any(line.startswith(f"{pending.name}  logs {MESSAGES} missing") for line in lines)
    text = file.read_text()
    missing = 'synapse_verify_records{synapse_signal="logs",synapse_verify_outcome="missing"} '
    assert missing in text
    assert int(text.split(missing)[1].split()[0]) >= MESSAGES
    assert "synapse_verify_time_seconds 1" in text
    whole = json.loads(recorder.command("verify", "--since", "24h", "--json").stdout)
    assert {good.name, pending.name} <= {one["run"] for one in whole["runs"]}
    assert whole["total"]["logs"]["expected"] == sum(one["signals"]["logs"]["expected"] for one in whole["runs"])


def test_what_a_route_takes_to_another_sink_is_told_apart(recorder: Recorder) -> None:
    recorder.place.variables["OTEL_RESOURCE_ATTRIBUTES"] = "synapse.tenant=acme"
    folder = recorder.run(ship=False)
    report = recorder.verify(folder, SYNAPSE_OTEL_VERIFY_ROUTED_TENANTS="globex,acme")
    assert report["signals"]["logs"]["kept_away"] == {"kept away by the route of tenant acme": MESSAGES}
    assert counts(report, "missing")["samples"] == (0,)
    assert recorder.verify(folder, code=1)["signals"]["logs"]["missing"] == MESSAGES
