"""What looking costs: a thousand runs, a very long one, and the job that is looked at; in a browser and a terminal."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from playwright.sync_api import Browser

from benchmarks.listing_runs import RUNS, record
from benchmarks.report import Bar, Table
from benchmarks.unmeasured import Unmeasured
from benchmarks.viewing_jobs import MESSAGES, METRICS, SAMPLES
from synapse_otel.journal.folder import run_folders
from tools.chromium import chromium, opened

ROUNDS: Final = 5
LOOKS: Final = 30
PAINT_SECONDS: Final = 1.0
OPEN_SECONDS: Final = 2.0
MOST_MIB: Final = 300.0
BEHIND_SECONDS: Final = 1.0
MOST_RATIO: Final = 1.15
"""A call's CPU while its page is open, over that of one that nobody looks at: what two equal runs differ by here."""


class Found(NamedTuple):
    """One thing that was measured, and what it may be at most."""

    what: str
    value: float
    unit: str
    most: float | None = None

    @property
    def row(self) -> tuple[str, str]:
        """Return it as a row."""
        return self.what, _told(self.value, self.unit)


def viewing() -> Table:
    """Measure.

    Raises:
        Unmeasured: there is no Chromium.
    """
    if chromium() is None:
        raise Unmeasured("no Chromium is installed here; CHROMIUM names one")
    with tempfile.TemporaryDirectory() as place, opened() as browser:
        thousand, long = Path(place, "thousand"), Path(place, "long")
        found = [
            *thousand_runs(browser, thousand),
            *long_run(browser, long),
            *lag(browser, Path(place, "lag")),
            *cost_to_the_job(browser, Path(place, "watched")),
        ]
        found += in_the_terminal(thousand, long)
    bars = [
        Bar(one.what, _told(one.most, one.unit), _told(one.value, one.unit), one.value <= one.most)
        for one in found
        if one.most is not None
    ]
    notes = f"{RUNS:,} runs; a run of {SAMPLES:,} samples, {METRICS} a call, and {MESSAGES:,} messages."
    return Table("view", "Looking at runs", ("what", "measured"), [one.row for one in found], notes, bars)


def _told(value: float, unit: str) -> str:
    digits = 0 if unit == "MiB" else 2
    return f"{value:,.{digits}f} {unit}".strip()


# --- a thousand runs ------------------------------------------------------------------------------------


def thousand_runs(browser: Browser, root: Path) -> list[Found]:
    """Return how long the list takes to be seen."""
    record(root)
    with served(root) as (address, process):
        page = browser.new_page()
        begun = time.perf_counter()
        page.goto(address)
        page.wait_for_selector(".run-row[data-run]")
        rows = time.perf_counter() - begun
        page.get_by_text(f"{RUNS:,} runs").wait_for(timeout=60_000)
        whole = time.perf_counter() - begun
        painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
        page.close()
        memory = _peak(process)
    return [
        Found("page, list: first contentful paint", painted / 1000, "s", PAINT_SECONDS),
        Found("page, list: first rows", rows, "s"),
        Found("page, list: all rows", whole, "s"),
        Found("page, list: the server's memory at most", memory, "MiB", MOST_MIB),
    ]


# --- one long run ---------------------------------------------------------------------------------------


def long_run(browser: Browser, root: Path) -> list[Found]:
    """Return how long a very long run takes to be seen whole, and what the server needs for it."""
    _job(root, "long")
    (folder,) = run_folders(root)
    with served(root) as (address, process):
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector(".run-row[data-run]")
        begun = time.perf_counter()
        page.evaluate("id => { location.hash = '#/run/' + id }", folder.name)
        page.wait_for_selector(".run-head")
        head = time.perf_counter() - begun
        page.get_by_text(f"{MESSAGES + 2:,} records").wait_for(timeout=60_000)
        page.wait_for_function(
            "count => [...document.querySelectorAll('.chart footer')]"
            ".filter(one => one.textContent.includes(count)).length >= 4",
            arg=f"{SAMPLES // METRICS:,} values",
            timeout=60_000,
        )
        whole = time.perf_counter() - begun
        begun = time.perf_counter()
        page.get_by_label("Search messages").fill(f"message {MESSAGES - 7}")
        page.get_by_text(f"1 of {MESSAGES + 2:,}").wait_for(timeout=60_000)
        search = time.perf_counter() - begun
        page.close()
        memory = _peak(process)
    return [
        Found("page, long run: its head is seen", head, "s"),
        Found("page, long run: all of it is seen", whole, "s", OPEN_SECONDS),
        Found("page, long run: a first search", search, "s"),
        Found("page, long run: the server's memory at most", memory, "MiB", MOST_MIB),
    ]


# --- how far behind the page is ------------------------------------------------------------------------------


def lag(browser: Browser, root: Path) -> list[Found]:
    """Return the time from a job's call to its being seen."""
    seconds = []
    command, environment = _command("steered"), _environment(root)
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as job:
        if job.stdin is None or job.stdout is None:
            raise RuntimeError("the job cannot be steered")
        job.stdout.readline()
        with served(root) as (address, _process):
            page = browser.new_page()
            page.goto(address)
            page.locator(".run-row[data-run] a").first.click()
            page.locator(".run-head").wait_for()
            for number in range(LOOKS):
                time.sleep(0.13)
                begun = time.perf_counter()
                job.stdin.write(f"call {number}\n")
                job.stdin.flush()
                page.get_by_text(f"call {number}", exact=True).wait_for(timeout=20_000)
                seconds.append(time.perf_counter() - begun)
            page.close()
        job.stdin.close()
    return [
        Found("page: a message is seen after the call, median", statistics.median(seconds), "s", BEHIND_SECONDS),
        Found("page: the same, at most", max(seconds), "s"),
    ]


# --- the job that is looked at ---------------------------------------------------------------------------


def cost_to_the_job(browser: Browser, root: Path) -> list[Found]:
    """Return what the calls of a job cost when nobody looks, and when somebody looks at its page."""
    alone, watched = [], []
    for number in range(ROUNDS):
        alone.append(_paced(root / f"alone{number}"))
        place = root / f"watched{number}"
        place.mkdir(parents=True)
        with served(place) as (address, _process):
            page = browser.new_page()
            page.goto(address)
            watched.append(_paced(place, page))
            page.close()
    nobody, somebody = min(alone), min(watched)  # what else the machine does only adds to it
    return [
        Found("a call's CPU, nobody looks", nobody, "µs"),
        Found("a call's CPU, its page is open", somebody, "µs"),
        Found("a call's CPU, its page open over nobody looking", somebody / nobody, "times", MOST_RATIO),
    ]


def _paced(root: Path, page: Any = None) -> float:
    with subprocess.Popen(_command("paced"), env=_environment(root), stdout=subprocess.PIPE, text=True) as process:
        if page is not None:
            page.locator(".run-row[data-run] a").first.click()
        told = process.communicate()[0]
    return float(told)


# --- the terminal -----------------------------------------------------------------------------------------


def in_the_terminal(thousand: Path, long: Path) -> list[Found]:
    """Return the same of ``view --terminal``, each in a process of its own."""
    listed, opened = (_in_terminal(root) for root in (thousand, long))
    return [
        Found("terminal, list: all rows", listed["listed"], "s"),
        Found("terminal, list: CPU while nothing happens", listed["idle"], "%"),
        Found("terminal, long run: all of it is read", opened["opened"], "s", OPEN_SECONDS),
        Found("terminal, long run: CPU while nothing happens", opened["idle"], "%"),
        Found("terminal, long run: memory at most", opened["memory"], "MiB", MOST_MIB),
    ]


def _in_terminal(root: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.viewing_terminal", str(root)]
    told = subprocess.run(command, env=_environment(root), check=True, capture_output=True, text=True).stdout
    return json.loads(told)  # type: ignore[no-any-return]


# --- processes -------------------------------------------------------------------------------------------


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.viewing_jobs", *arguments]


def _environment(root: Path) -> dict[str, str]:
    own = {"SYNAPSE_OTEL_JOURNAL_DIR": str(root), "SYNAPSE_OTEL_SHIPPER": "off"}
    return {**os.environ, **own, "PYTHONUNBUFFERED": "1"}


def _job(root: Path, name: str) -> None:
    subprocess.run(_command(name), env=_environment(root), check=True, stderr=subprocess.DEVNULL)


@contextmanager
def served(root: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve a folder of journals, and nothing but it."""
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("synapse-otel")), "view", "--no-browser", "--port", "0", str(root)]
        if any(run_folders(root))
        else [str(Path(sys.executable).with_name("synapse-otel")), "view", "--no-browser", "--port", "0"],
        env=_environment(root),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        found = re.search(r"http://\S+", process.stdout.readline() if process.stdout else "")
        if found is None:
            raise RuntimeError("the page could not be served")
        yield found.group().partition("&run=")[0], process
    finally:
        process.kill()
        process.communicate()


def _peak(process: subprocess.Popen[str]) -> float:
    """Return the most memory that a process has had, in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
