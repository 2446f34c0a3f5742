"""The benchmarks' own parts: what they count, what they write, and when they fail. No test measures speed."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import report
from benchmarks.far_side import far_side
from benchmarks.processes import place, proceed, until_ready
from benchmarks.report import Bar, Table

pytestmark = pytest.mark.once


def a_table(*, met: bool) -> Table:
    return Table("calls", "Calls", ("what", "µs"), [("`a|b`", "1.0")], "A note.", [Bar("a bar", "2", "1.0", met)])


def test_every_table_has_its_place_on_the_page():
    page = report.PAGE.read_text(encoding="utf-8")
    for name in (*command.BENCHMARKS, "bars", "machine"):
        assert page.count(f"<!-- measured: {name} -->\n") == 1, name
        assert page.count(f"<!-- end: {name} -->") == 1, name


def test_a_table_is_written_between_its_marks_and_nowhere_else(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- measured: calls -->\nold\n<!-- end: calls -->\nafter\n", encoding="utf-8")
    other = Table("other", "Other", ("what",), [])
    assert report.write([a_table(met=True), other], page) == ["other"]
    assert page.read_text(encoding="utf-8") == (
        "before\n<!-- measured: calls -->\n| what | µs |\n| --- | ---: |\n| `a\\|b` | 1.0 |\n\nA note.\n"
        "<!-- end: calls -->\nafter\n"
    )


@pytest.mark.parametrize(("met", "status"), [(True, 0), (False, 1)])
def test_a_missed_bar_is_named_and_fails(met, status, monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.costs.calls", lambda: a_table(met=met))
    monkeypatch.setattr(sys, "argv", ["benchmarks", "calls"])
    assert command.main() == status
    assert ("missed: a bar" in capsys.readouterr().err) is not met


def test_the_far_side_counts_requests_bytes_and_marks():
    with far_side(mark="once") as far:
        for body in (b"once and once", b"x" * 3_000_000 + b"once"):
            request = urllib.request.Request(f"http://127.0.0.1:{far.port}/v1/logs", body, method="POST")
            assert urllib.request.urlopen(request, timeout=30).status == 200
        assert far.counts() == {"/v1/logs": 2, "bytes": 3_000_017, "marks": 3}


def test_a_hastened_clock_goes_faster_and_never_back():
    program = """if True:
        import time
        from benchmarks.clock import hasten
        hasten(10_000)
        begin, wall = time.monotonic(), time.time()
        time.sleep(0.01)
        assert time.monotonic() - begin >= 90
        assert time.time() - wall >= 90
    """
    subprocess.run([sys.executable, "-c", program], cwd=report.PAGE.parents[1], check=True)


def test_a_place_finds_the_shipper_of_its_job_and_ends_it():
    with far_side() as far, place(f"http://127.0.0.1:{far.port}") as here:
        job = here.start("delivered", calls=10)
        until_ready(job)
        shipper = here.wait_for_shipper()
        assert Path(f"/proc/{shipper}/cmdline").read_bytes().count(b"synapse_otel.shipper")
        proceed(job)
        job.communicate(timeout=60)
        here.end_shipper()
        assert here.shipper() is None
