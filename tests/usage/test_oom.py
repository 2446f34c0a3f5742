"""Limits of cgroups, and a job that the kernel kills out of memory, reported as such."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from synapse_otel import semconv
from synapse_otel.journal.folder import Exit, write_exit
from synapse_otel.journal.usage import read_usage
from synapse_otel.runs import Overview
from synapse_otel.shipper.usage.cgroup import CGROUPS, Cgroup, oom_kills
from tests.eventually import eventually
from tests.sink import attributes
from tests.usage.conftest import go_on
from tests.usage.test_sampling import samples, span_of

pytestmark = pytest.mark.once

MEBIBYTE = 1 << 20
LIMIT = 96 * MEBIBYTE


# --- a folder that looks like the cgroups' ---------------------------------------------------------------


class Cgroups:
    """What the cgroups of a process tell: of version 2, of version 1, of both beside one another."""

    def __init__(self, root: Path, version: int, pid: int) -> None:
        self.root = root
        self.version = version
        self.proc = root / "proc"
        (self.proc / str(pid)).mkdir(parents=True)
        lines = "0::/pod/box\n" if version == 2 else "5:memory:/pod/box\n3:cpu,cpuacct:/pod/box\n0::/\n"
        (self.proc / str(pid) / "cgroup").write_text(lines)
        self.memory = root / ("" if version == 2 else "memory") / "pod" / "box"
        self.cpu = root / ("" if version == 2 else "cpu,cpuacct") / "pod" / "box"
        for folder in (self.memory, self.memory.parent, self.cpu, self.cpu.parent):
            folder.mkdir(parents=True, exist_ok=True)
            self.limit(folder)
        self.kills(0)

    def limit(self, folder: Path, memory: int | None = None, cpus: float | None = None) -> None:
        if self.version == 2:
            (folder / "memory.max").write_text(f"{memory or 'max'}\n")
            (folder / "cpu.max").write_text(f"{int(cpus * 100_000) if cpus else 'max'} 100000\n")
        else:
            (folder / "memory.limit_in_bytes").write_text(f"{memory or 9223372036854771712}\n")
            (folder / "cpu.cfs_quota_us").write_text(f"{int(cpus * 100_000) if cpus else -1}\n")
            (folder / "cpu.cfs_period_us").write_text("100000\n")

    def kills(self, count: int) -> None:
        if self.version == 2:
            (self.memory / "memory.events").write_text(
                f"low 0\nhigh 0\nmax 7\noom 9\noom_kill {count}\noom_group_kill 0\n"
            )
        else:
            (self.memory / "memory.oom_control").write_text(f"oom_kill_disable 0\nunder_oom 0\noom_kill {count}\n")


@pytest.mark.parametrize("version", [1, 2])
def test_the_lowest_limit_on_the_way_up_holds(version, tmp_path):
    made = Cgroups(tmp_path, version, 77)
    found = Cgroup(77, tmp_path, made.proc)
    assert (found.memory_limit(), found.cpu_limit()) == (0, 0)
    made.limit(made.memory.parent, memory=64 * MEBIBYTE, cpus=1.5)
    made.limit(made.cpu.parent, memory=64 * MEBIBYTE, cpus=1.5)
    assert (found.memory_limit(), found.cpu_limit()) == (64 * MEBIBYTE, 1.5)
    made.limit(made.memory, memory=32 * MEBIBYTE, cpus=0.5)
    made.limit(made.cpu, memory=32 * MEBIBYTE, cpus=0.5)
    assert (found.memory_limit(), found.cpu_limit()) == (32 * MEBIBYTE, 0.5)
    made.kills(3)
    assert oom_kills(found.memory) == 3


@pytest.mark.parametrize("version", [1, 2])
def test_in_a_container_its_own_cgroup_stands_at_the_root(version, tmp_path):
    made = Cgroups(tmp_path, version, 77)
    (made.proc / "77" / "cgroup").write_text("5:memory:/docker/x\n0::/\n" if version == 1 else "0::/\n")
    root = tmp_path if version == 2 else tmp_path / "memory"
    made.limit(root, memory=16 * MEBIBYTE)
    assert Cgroup(77, tmp_path, made.proc).memory_limit() == 16 * MEBIBYTE


def test_where_nothing_tells_there_is_no_limit(tmp_path):
    found = Cgroup(77, tmp_path, tmp_path)
    assert (found.memory, found.memory_limit(), found.cpu_limit()) == (None, 0, 0)
    assert oom_kills(found.memory) is None


# --- really killed ---------------------------------------------------------------------------------------


def beside(tmp_path: Path, pid: int) -> tuple[Cgroups, dict[str, Path]]:
    """Return cgroups for a real process, made up, and how a sampler is told of them: by the process' real path."""
    made = Cgroups.__new__(Cgroups)
    made.root, made.version = tmp_path / "cgroups", 2
    lines = dict(reversed(line.split(":", 2)[1:]) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines())
    path = next((path for path, names in lines.items() if "memory" in names.split(",")), None)
    if path is None:
        path, folder = next(path for path, names in lines.items() if not names), made.root
    else:
        made.version, folder = 1, made.root / "memory"
    made.memory = folder / path.lstrip("/")
    made.memory.mkdir(parents=True, exist_ok=True)
    made.limit(made.memory, memory=LIMIT)
    made.kills(0)
    return made, {"cgroups": made.root}


@pytest.mark.parametrize(
    ("kills", "exit_word", "error_type"),
    [
        (1, None, "oom_killed"),
        (1, Exit(signal="SIGKILL"), "oom_killed"),
        (0, Exit(signal="SIGKILL"), "SIGKILL"),
        (0, None, "killed"),
        (1, Exit(signal="SIGSEGV"), "SIGSEGV"),  # whatever the kernel killed, it was not this one
    ],
)
def test_a_kill_is_for_want_of_memory_if_the_cgroup_counts_one(
    kills, exit_word, error_type, *, sink, place, shipping, start_job, tmp_path
):
    made, options = beside(tmp_path, os.getpid())
    started = shipping(**options)
    job = start_job("wait")
    (folder,) = place.folders()
    sink.wait(lambda: len(samples(folder)) > 1, within=60)
    assert sink.wait(lambda: sink.last("synapse.job.memory.limit"), within=60) == LIMIT
    if exit_word is not None:
        write_exit(folder, exit_word)
    made.kills(kills)
    os.kill(job.pid, signal.SIGKILL)
    job.communicate(timeout=60)
    found = attributes(span_of(sink))
    assert found["error.type"] == error_type
    assert found[semconv.USAGE_MEMORY_LIMIT] == LIMIT
    ended = sink.wait(lambda: [one for one in sink.logs() if one.event_name == "synapse.job.finished"], within=60)
    assert attributes(ended[0])["error.type"] == error_type
    assert sink.wait(lambda: sink.last("synapse.job.crashes", error_type=error_type), within=60) == 1
    assert Overview.read([folder]).job.error_type == error_type
    assert started.said == []


def test_a_job_that_the_kernel_really_killed_is_called_so(sink, place, shipping, start_job):
    group = own_cgroup()
    if group is None:
        pytest.skip("no cgroup with a limit can be made here; the tests above have made-up ones")
    try:
        shipping()
        job = start_job("confined", group, LIMIT // MEBIBYTE + 200)
        (folder,) = place.folders()
        assert sink.wait(lambda: sink.last("synapse.job.memory.limit"), within=60) == LIMIT
        assert go_on(job) == ""
        job.communicate(timeout=60)
        assert job.returncode == -signal.SIGKILL
        found = attributes(span_of(sink))
        assert found["error.type"] == "oom_killed"
        assert found["synapse.job.result"] == "error"
        assert found[semconv.USAGE_MEMORY_LIMIT] == LIMIT
        assert Overview.read([folder]).job.error_type == "oom_killed"
        assert read_usage(folder).oom_kill is not None
    finally:
        eventually(lambda: not (group / "cgroup.procs").read_text(), within=60)
        group.rmdir()


def own_cgroup() -> Path | None:
    """Make a cgroup with little memory, of version 1 or 2, where this is allowed."""
    for root, limit in ((CGROUPS / "memory", "memory.limit_in_bytes"), (CGROUPS, "memory.max")):
        group = root / f"synapse-otel-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / limit).write_text(str(LIMIT))
            swap = group / "memory.swap.max"
            if swap.exists():
                swap.write_text("0")
        except OSError:
            group.rmdir()
        else:
            return group
    return None
