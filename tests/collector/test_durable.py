"""A job, agent, gateway and backends as real processes: whichever is killed or away, every record arrives.

Short faults, one after the other on the same tiers; `python -m tools.pull_plug` has the long ones.
"""

from __future__ import annotations

import os
import re
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import urllib3

from tests.sink import Answer, Sink
from tests.stack import otlp
from tools.pull_plug import drill
from tools.pull_plug.faults import FAULTS
from tools.pull_plug.tiers import running_tiers, small_disk
from tools.pull_plug.trial import Outcome, Tiers, trial
from tools.stack.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.once]

RATE = 2000
QUEUE_BYTES = 8 << 20


@pytest.fixture(scope="module")
def tiers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiers]:
    folder = tmp_path_factory.mktemp("durable")
    queues = folder / "queues"
    with small_disk(queues, 128), running_tiers(folder, queues, queue_bytes=QUEUE_BYTES) as running:
        yield running


def run(tiers: Tiers, fault: str, seconds: float, rate: int = RATE) -> Outcome:
    """Run a trial and check that nothing is lost."""
    outcome = trial(fault, tiers, FAULTS[fault], seconds=seconds, rate=rate)
    assert outcome.wrong == []
    assert outcome.lost == 0
    assert outcome.made > rate
    return outcome


@pytest.mark.parametrize(
    ("fault", "seconds"),
    {"agent killed": 0.5, "gateway killed": 0.5, "both killed, backend away": 3.0, "tiers upgraded": 2.0}.items(),
)
def test_no_record_is_lost_when_a_part_is_killed(tiers: Tiers, fault: str, seconds: float) -> None:
    run(tiers, fault, seconds)


def test_a_drill_takes_one_part_after_the_other_and_nothing_is_missing(
    tiers: Tiers, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(drill, "AWAY_SECONDS", (0.1, 0.4))
    monkeypatch.setenv("DRILL_SEED", "5")
    outcome = trial("drill", tiers, drill.drill, seconds=6, rate=RATE)
    assert (outcome.wrong, outcome.lost) == ([], 0)
    told = capfd.readouterr().err
    assert len([name for name in drill.PARTS if f": {name}, for" in told]) > 1


def test_full_queues_refuse_and_the_jobs_journal_holds_the_rest(tiers: Tiers) -> None:
    run(tiers, "queues full", 4.0, rate=5 * RATE)
    assert counted(tiers, "agent", "otelcol_receiver_refused_log_records_total") > 0
    disk = os.statvfs(tiers.queues)
    assert disk.f_bavail * disk.f_frsize > 0  # what is full is the queue, never its disk


def test_with_tiers_that_keep_nothing_no_fault_of_theirs_loses_anything(tmp_path: Path) -> None:
    """Not even those that a queue on the disk may lose by: a full disk, and a kill while it is taken up again."""
    with small_disk(tmp_path / "queues", 128) as mounted, through(tmp_path) as tiers:
        run(tiers, "both killed again and again", 3.0)
        if mounted:
            run(tiers, "disk full", 2.0)


def test_with_tiers_that_keep_nothing_the_sender_hears_what_the_sink_answers(tmp_path: Path) -> None:
    """Bisection, back-off and the quarantine are the shipper's then, as if it had asked the sink itself."""
    keep = {"COLLECTOR_AGENT_QUEUE": "through", "COLLECTOR_GATEWAY_QUEUE": "through"}
    answers = [200, 400, 401, 404, 429, 500, 503]
    with Sink() as sink:
        to_sink = {"gateway": {"COLLECTOR_LOGS_ENDPOINT": sink.url}}
        with Stack(("gateway", "agent"), directory=tmp_path, environment=keep, environments=to_sink) as stack:
            heard = []
            for status in answers:
                sink.answer = lambda _, status=status: Answer(status)
                request = otlp.logs("job", [otlp.record(time.time_ns(), "text")]).SerializeToString()
                headers = {"Content-Type": "application/x-protobuf"}
                url = f"{stack.otlp_http}/v1/logs"
                heard.append(urllib3.request("POST", url, body=request, headers=headers, retries=False).status)
    assert heard == answers


def through(folder: Path) -> AbstractContextManager[Tiers]:
    return running_tiers(folder, folder / "queues", queue_bytes=QUEUE_BYTES, keep="through")


def counted(tiers: Tiers, tier: str, metric: str) -> float:
    """Return one of a tier's own counters, all its series summed up."""
    with urllib.request.urlopen(tiers.stack.collector_metrics(tier), timeout=5) as answer:
        text = answer.read().decode()
    return sum(float(value) for value in re.findall(rf"^{metric}\{{.*\}} (\S+)$", text, re.MULTILINE))


def test_queues_are_readable_by_nobody_else(tiers: Tiers) -> None:
    for tier in ("agent", "gateway"):
        folder = tiers.queues / tier
        files = list(folder.iterdir())
        assert files
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
