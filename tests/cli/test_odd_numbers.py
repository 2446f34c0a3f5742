"""Infinite and NaN wherever a number is shown: no command ends in a traceback because of one run."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys

import pytest

from synapse_otel.plugins.loggers.console import amounts
from synapse_otel.plugins.loggers.console.terminal.bars import bar_rows, glyphs_for
from synapse_otel.plugins.loggers.track import Track
from synapse_otel.semconv.progress import Progress
from synapse_otel.semconv.readings import PROGRESS
from synapse_otel.ui.formats import clock, duration, number, offset
from tests.runs.runs import command, environment
from tests.sink import Sink

pytestmark = pytest.mark.once

JOB = """
import synapse_otel
inf, nan = float("inf"), float("nan")
params = {"lr": nan, "limit": inf, "deep": {"list": [nan, -inf]}}
with synapse_otel.job("train", plugin="odd", params=params) as ctx:
    for done in range(1, 4):
        ctx.set_progress(done, inf, "stream")
    ctx.set_progress(inf, inf, "all")
    ctx.set_progress(1e308, 1.7e308, "huge")
    ctx.set_metrics({"loss": nan, "best": inf, "worst": -inf, "fine": 0.5}, "metrics")
    ctx.log("eval", {"loss": nan, "best": inf, "list": [nan, {"a": -inf}]})
"""


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    root = tmp_path_factory.mktemp("odd")
    with Sink() as sink:
        ended = subprocess.run(
            [sys.executable, "-c", JOB],
            env=environment(root, SYNAPSE_OTEL_SHIPPER="thread", OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
            | {"SYNAPSE_OTEL_JOURNAL_KEEP": "true"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        points = sink.points()
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    return root, points


@pytest.mark.parametrize(
    "arguments", [["jobs"], ["jobs", "odd"], ["jobs", "--json"], ["jobs", "odd", "--json"], ["show"], ["sync"]], ids=str
)
def test_a_command(arguments, odd):
    root, _ = odd
    found = command(root, *arguments)
    assert (found.returncode, found.stderr) == (0, "")
    assert "odd" in found.stdout or arguments == ["sync"]
    if "--json" in arguments:
        json.loads(found.stdout, parse_constant=pytest.fail)


@pytest.mark.parametrize("kind", ["html", "otlp-json", "csv", "parquet"])
def test_a_file(kind, odd, tmp_path):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    root, _ = odd
    place = tmp_path / "out"
    found = command(root, "export", "--format", kind, "-o", str(place))
    assert (found.returncode, found.stderr) == (0, "")
    if kind == "csv":
        with (place / "metrics.csv").open() as file:
            assert any(row["name"] == "fine" for row in csv.DictReader(file))
    if kind == "otlp-json":
        for line in place.read_text().splitlines():
            json.loads(line, parse_constant=pytest.fail)


def test_what_has_no_end_has_neither_limit_nor_time_left_in_the_metrics(odd):
    _, points = odd
    values = {
        (point.attributes.get("synapse.category"), point.name): point.value
        for point in points
        if point.name.startswith(("synapse.job.progress", "synapse.job.eta", "synapse.job.items"))
    }
    assert all(math.isfinite(value) for value in values.values())
    assert values["stream", "synapse.job.progress.current"] == 3
    assert values["stream", "synapse.job.progress"] == 0
    assert ("stream", "synapse.job.eta") not in values
    assert ("stream", "synapse.job.progress.limit") not in values


ODD = [math.inf, -math.inf, math.nan, 1e308, -1e308, 5e-324, 0.0, -0.0]


@pytest.mark.parametrize("value", ODD)
def test_every_number_has_a_text(value):
    for shown in (number, duration, offset, amounts.number):
        assert shown(value)
    assert clock(0)
    assert clock(10**40) == "?"


@pytest.mark.parametrize("current", [0.0, 5.0, math.inf])
@pytest.mark.parametrize("limit", [10.0, math.inf])
def test_every_progress_has_readings_that_are_finite_or_none(current, limit):
    progress = Progress(current, limit, 2_000_000_000, 1_000_000_000, 0.0, current)
    for read in PROGRESS.values():
        value = read(progress)
        assert value is None or math.isfinite(value) or limit < current
    track = Track(0, limit)
    track.current = current
    track.started_seconds -= 10
    assert 0 <= track.share <= 1 or current > limit
    assert all(isinstance(part, str) for part in amounts.progress_parts(track))
    assert track.snapshot().percent is not None
    if current <= limit:
        assert bar_rows([("label", track)], 80, 10, glyphs_for("utf-8"))
