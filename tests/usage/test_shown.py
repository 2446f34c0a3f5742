"""What a run used, as the recording, the report, the page's server and the exported file have it: with no backend."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from synapse_otel.journal.usage import UsageWriter
from synapse_otel.runs import Recording, run_usage
from synapse_otel.runs.live.followed_run import FollowedRun
from tests.runs.runs import command, run, start
from tests.runs.test_report import line_with, shown
from tests.ui.conftest import only
from tests.ui.test_server import client_of, run_of
from tests.usage.used import GIBIBYTE, sample, write

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A run that used two GPUs, as its samples say."""
    root = tmp_path_factory.mktemp("used")
    assert run(root, "success") == 0
    found = only(root)
    write(found, Recording.read(found).job.start, gpus=2)
    return found


def test_the_recording_has_its_curves_and_totals(folder):
    used = Recording.read(folder).usage
    charts = {chart.name: chart for chart in used.charts}
    assert list(charts) == ["cpu", "memory", "disk", "network", "gpu", "gpu memory", "gpu power"]
    assert (charts["cpu"].limit, charts["cpu"].unit, charts["cpu"].peak) == (2.0, "{cpu}", 1.9)
    assert charts["memory"].limit == 2 * GIBIBYTE
    read, written = charts["disk"].lines
    assert (read.label, set(read.values)) == ("read", {200_000.0})
    assert (written.label, set(written.values)) == ("written", {0.0})
    assert {line.label: line.values[0] for line in charts["gpu"].lines} == {"GPU 0": 0.25, "GPU 1": 0.5}
    assert used.gpus_by == "all"
    assert [one.cpu_seconds for one in used.totals] == [55.0]
    assert not used.oom_killed


def test_a_run_of_several_processes_has_a_line_for_each(folder, tmp_path):
    write(tmp_path, 0, 3, oom=True)
    used = run_usage([folder, tmp_path])
    (cpu,) = (chart for chart in used.charts if chart.name == "cpu")
    assert [line.label for line in cpu.lines] == ["process 1", "process 2"]
    assert len(used.totals) == 2
    assert used.oom_killed


def test_a_run_that_nobody_sampled_shows_nothing(tmp_path):
    assert run(tmp_path, "success") == 0
    assert run_usage([only(tmp_path)]).charts == []
    assert "Used" not in shown(only(tmp_path))


@pytest.mark.parametrize("width", [44, 100])
def test_the_report_has_a_curve_each_with_its_peak_and_limit(width, folder):
    text = shown(folder, width)
    assert "peak 1.9 of 2" in line_with(text, "cpu")
    assert "peak 1.5 GiB of 2.0 GiB" in line_with(text, "memory")
    assert "peak 50 %" in line_with(text, "peak 50 %")
    assert "peak 2.0 GiB of 8.0 GiB" in line_with(text, "GPU 1 memory")
    assert "CPU time 55.0 s" in re.sub(r"\s+", " ", text)
    assert "all GPUs of the machine" in re.sub(r"\s+", " ", text)


def test_a_run_that_was_killed_for_want_of_memory_says_so(tmp_path):
    with start(tmp_path, "stay") as process:
        process.communicate("die\n", timeout=60)
    found = only(tmp_path)
    write(found, Recording.read(found).job.start, oom=True)
    assert "killed: out of memory, last seen after" in shown(found)
    (row,) = client_of(tmp_path).get("/api/runs").json()
    assert row["error"] == "oom_killed"
    assert "oom_killed" in command(tmp_path, "jobs").stdout


def test_the_pages_server_tells_it_and_hears_of_more(folder):
    client = client_of(folder.parent)
    address = f"/api/runs/{run_of(client, 'yolosuccess')}"
    used = client.get(address).json()["usage"]
    cpu = used["charts"][0]
    assert (cpu["name"], cpu["limit"], len(cpu["lines"][0]["t"])) == ("cpu", 2.0, 12)
    assert used["totals"][0]["processes_peak"] == 2
    assert used["gpus_by"] == "all"


def test_what_is_sampled_while_a_run_is_silent_is_news(folder):
    gathered = FollowedRun([folder])
    gathered.refresh()
    version = gathered.version
    gathered.refresh()
    assert gathered.version == version

    UsageWriter(folder).append(sample(500, Recording.read(folder).job.start))
    gathered.refresh()
    assert gathered.version > version


def test_the_exported_file_holds_it(folder, tmp_path):
    target = tmp_path / "run.html"
    ended = command(folder.parent, "export", folder.name, "--format", "html", "--output", str(target))
    assert ended.returncode == 0, ended.stderr
    (data,) = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', target.read_text(), re.DOTALL)
    charts = json.loads(data)["details"]["usage"]["charts"]
    assert [chart["name"] for chart in charts][:2] == ["cpu", "memory"]
