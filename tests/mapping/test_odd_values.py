"""Values that users of other trackers have met trouble with: each is recorded, and keeps nothing else from being."""

from __future__ import annotations

import decimal
import fractions
import math
import subprocess
import sys

import numpy as np
import pytest

from synapse_otel.journal.folder import run_folders
from synapse_otel.mapping.metric_values import as_number
from synapse_otel.mapping.values import readable
from synapse_otel.runs import Recording
from synapse_otel.testing import recorded_job
from tests.runs.runs import command, environment


def series_of(job):
    found = [one for one in job.recording.series if one.name == "synapse.job.metric"]
    return {one.attributes["synapse.metric.name"]: list(one.values) for one in found}


NUMBERS = {
    "long double": (np.longdouble(0.5), 0.5),
    "long doubles": (np.array([0.5], dtype=np.longdouble), 0.5),
    "bool of numpy": (np.bool_(True), 1.0),
    "unsigned": (np.uint64(2**64 - 1), 1.8446744073709552e19),
    "half": (np.float16(0.5), 0.5),
    "decimal": (decimal.Decimal("1.5"), 1.5),
    "fraction": (fractions.Fraction(1, 2), 0.5),
    "64 bits": (2**64 - 1, 1.8446744073709552e19),
    "more than 64 bits": (2**70, 1.1805916207174113e21),
    "negative": (-(2**70), -1.1805916207174113e21),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_a_sample(name):
    given, expected = NUMBERS[name]
    assert as_number(given) == expected
    with recorded_job() as job:
        job.ctx.set_metrics({"odd": given, "plain": 1})
        job.ctx.set_metrics({"plain": 2})
        assert series_of(job) == {"odd": [expected], "plain": [1, 2]}


@pytest.mark.parametrize(
    "given", [1 + 2j, np.complex128(1), np.clongdouble(2), None, np.array([1, 2]), "text"], ids=repr
)
def test_what_is_no_number_is_no_sample(given):
    assert as_number(given) is None
    assert isinstance(readable(given), str | list | None)


NOT_FINITE = [
    np.float16("nan"), np.float32("inf"), np.longdouble("-inf"), np.longdouble("1e4000"), 10**400, -(10**400),
]  # fmt: skip


@pytest.mark.parametrize("given", NOT_FINITE, ids=map(str, range(len(NOT_FINITE))))
def test_what_is_not_finite_is_an_event(given):
    with recorded_job() as job:
        job.ctx.set_metrics({"odd": given, "plain": 1})
        assert series_of(job) == {"plain": [1]}
        assert any(log.event_name == "synapse.metric.nonfinite" for log in job.recording.logs)


def test_a_long_double_in_data_is_a_number():
    assert readable(np.longdouble(0.5)) == 0.5
    assert readable(np.array([0.5, 1.5], dtype=np.longdouble)) == [0.5, 1.5]
    assert math.isinf(readable(np.longdouble("1e4000")))


SURROGATES = """
import synapse_otel
odd = "x\\ud83e"
with synapse_otel.job("train", plugin=odd, job_id=odd, version=odd, category=odd, params={odd: odd}) as ctx:
    ctx.log_message(odd)
    ctx.log(odd, {odd: {odd: [odd]}}, file=odd)
    ctx.set_metrics({odd: 1.0}, odd)
    ctx.set_progress(1, 2, odd)
    ctx.log_message("good")
"""
DIGITS = """
import synapse_otel
huge = 10**5000
with synapse_otel.job("train", plugin="odd", params={"huge": huge}) as ctx:
    ctx.log("event", {"huge": huge, huge: [huge, {huge: huge}]})
    ctx.set_metrics({"huge": huge, "plain": 1})
    ctx.log_message("good")
"""


@pytest.mark.once
@pytest.mark.parametrize("program", [SURROGATES, DIGITS], ids=["surrogates", "digits"])
def test_a_whole_job_of_them(program, tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment(tmp_path), capture_output=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert b"Traceback" not in ended.stderr
    (folder,) = run_folders(tmp_path)
    bodies = [log.body for log in Recording.read(folder).logs]
    assert "good" in bodies
    assert not any("bytes: it and later ones are cut" in str(body) for body in bodies)
    for arguments in (["jobs"], ["jobs", "--json"], ["show"], ["export", "-o", str(tmp_path / "page.html")]):
        found = command(tmp_path, *arguments)
        assert (found.returncode, found.stderr) == (0, "")
