"""What looking costs: first paint with a thousand runs, a very long run, and the job that is looked at.

``python -m benchmarks.viewing`` measures all and prints it. It needs Chromium, and the page bundled.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, sync_playwright

from synapse_otel.journal.folder import run_folders

RUNS: Final = 1_000
SAMPLES: Final = 1_000_000
MESSAGES: Final = 100_000
METRICS: Final = 4
"""Values of one `set_metrics` call."""
CALLS: Final = 200_000
ROUNDS: Final = 5
LOOKS: Final = 30


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
        found: dict[str, Any] = {}
        found |= thousand_runs(browser, Path(place, "thousand"))
        found |= long_run(browser, Path(place, "long"))
        found |= lag(browser, Path(place, "lag"))
        found |= cost_to_the_job(browser, Path(place, "watched"))
        browser.close()
    for name, value in found.items():
        print(f"{name:<44} {value}")


# --- a thousand runs ------------------------------------------------------------------------------------


def thousand_runs(browser: Browser, root: Path) -> dict[str, Any]:
    """Return how long the list takes to be seen."""
    _job(root, "small")
    (first,) = run_folders(root)
    run = json.loads((first / "run.json").read_text())
    for number in range(RUNS - 1):
        folder = root / f"20260101T{number // 3600:02}{number // 60 % 60:02}{number % 60:02}Z-train-{number:08x}"
        shutil.copytree(first, folder)
        (folder / "run.json").write_text(json.dumps({**run, "journal": f"{number:032x}", "created": 1.7e9 + number}))
    with _served(root) as (address, process):
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
    return {
        f"{RUNS:,} runs: first contentful paint": f"{painted:.0f} ms",
        f"{RUNS:,} runs: first rows": f"{rows:.2f} s",
        f"{RUNS:,} runs: all read": f"{whole:.2f} s",
        f"{RUNS:,} runs: server's memory at most": f"{memory:.0f} MiB",
    }


# --- one long run ---------------------------------------------------------------------------------------


def long_run(browser: Browser, root: Path) -> dict[str, Any]:
    """Return how long a very long run takes to be seen whole, and what the server needs for it."""
    _job(root, "long")
    (folder,) = run_folders(root)
    with _served(root) as (address, process):
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
    size = sum(path.stat().st_size for path in folder.glob("*.segment")) / (1 << 20)
    return {
        f"{SAMPLES:,} samples, {MESSAGES:,} messages": f"{size:.0f} MiB of segments",
        "  its head is seen after": f"{head:.2f} s",
        "  all of it is seen after": f"{whole:.2f} s",
        "  a first search takes": f"{search:.2f} s",
        "  the server's memory at most": f"{memory:.0f} MiB",
    }


# --- how far behind the page is ------------------------------------------------------------------------------


def lag(browser: Browser, root: Path) -> dict[str, Any]:
    """Return the time from a job's call to its being seen."""
    seconds = []
    command, environment = _command("steered"), _environment(root)
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as job:
        if job.stdin is None or job.stdout is None:
            raise RuntimeError("the job cannot be steered")
        job.stdout.readline()
        with _served(root) as (address, _process):
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
    return {"a message is seen after": f"{statistics.median(seconds):.2f} s, at most {max(seconds):.2f} s"}


# --- the job that is looked at ---------------------------------------------------------------------------


def cost_to_the_job(browser: Browser, root: Path) -> dict[str, Any]:
    """Return what the calls of a job cost when nobody looks, and when somebody looks at its page."""
    alone, watched = [], []
    for number in range(ROUNDS):
        alone.append(_paced(root / f"alone{number}"))
        place = root / f"watched{number}"
        place.mkdir(parents=True)
        with _served(place) as (address, _process):
            page = browser.new_page()
            page.goto(address)
            watched.append(_paced(place, page))
            page.close()
    return {
        "a call's CPU, nobody looks": f"{statistics.median(alone):.2f} us "
        f"(of {sorted(round(one, 2) for one in alone)})",
        "a call's CPU, its page is open": f"{statistics.median(watched):.2f} us "
        f"(of {sorted(round(one, 2) for one in watched)})",
    }


def _paced(root: Path, page: Any = None) -> float:
    with subprocess.Popen(_command("paced"), env=_environment(root), stdout=subprocess.PIPE, text=True) as process:
        if page is not None:
            page.locator(".run-row[data-run] a").first.click()
        told = process.communicate()[0]
    return float(told)


# --- jobs ------------------------------------------------------------------------------------------------


def _small() -> None:
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    with synapse_otel.job("train", plugin="small", version="1.0", logger=NoOpLogger()) as ctx:
        for epoch in range(20):
            ctx.set_progress(epoch + 1, 20)
            ctx.set_metrics({"loss": 1 / (epoch + 1)})
            ctx.log_message(f"epoch {epoch}")


def _long() -> None:
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    with synapse_otel.job("train", plugin="long", logger=NoOpLogger()) as ctx:
        for number in range(SAMPLES // METRICS):
            ctx.set_metrics({f"metric_{one}": number % (97 + one) for one in range(METRICS)})
            if number * METRICS % (SAMPLES // MESSAGES) < METRICS:
                ctx.log_message(f"message {number * METRICS // (SAMPLES // MESSAGES)}")


def _steered() -> None:
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    with synapse_otel.job("train", plugin="steered", logger=NoOpLogger()) as ctx:
        print("ready")
        for line in sys.stdin:
            ctx.log_message(line.strip())


def _paced_job() -> None:
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    with synapse_otel.job("train", plugin="paced", logger=NoOpLogger()) as ctx:
        time.sleep(1.0)
        begun = resource.getrusage(resource.RUSAGE_SELF)
        for number in range(CALLS):
            ctx.set_progress(number, CALLS)
            if not number % 10:
                ctx.set_metrics({"loss": 1.0})
                ctx.log_message("working")
            if not number % 500:
                time.sleep(0.01)
        ended = resource.getrusage(resource.RUSAGE_SELF)
    seconds = ended.ru_utime - begun.ru_utime + ended.ru_stime - begun.ru_stime
    print(seconds / (CALLS * 1.2) * 1e6)


# --- processes -------------------------------------------------------------------------------------------


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.viewing", *arguments]


def _environment(root: Path) -> dict[str, str]:
    own = {"SYNAPSE_OTEL_JOURNAL_DIR": str(root), "SYNAPSE_OTEL_SHIPPER": "off"}
    return {**os.environ, **own, "PYTHONUNBUFFERED": "1"}


def _job(root: Path, name: str) -> None:
    subprocess.run(_command(name), env=_environment(root), check=True, stderr=subprocess.DEVNULL)


@contextmanager
def _served(root: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
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
        yield found.group(), process
    finally:
        process.kill()
        process.communicate()


def _peak(process: subprocess.Popen[str]) -> float:
    """Return the most memory that a process has had, in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _chromium() -> str:
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        raise SystemExit("no Chromium is installed here; CHROMIUM names one")
    return found


if __name__ == "__main__":
    jobs = {"small": _small, "long": _long, "paced": _paced_job, "steered": _steered}
    jobs.get(sys.argv[1] if len(sys.argv) > 1 else "", main)()
