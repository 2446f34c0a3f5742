"""Samples the resource usage of all jobs of a shipper together, never more often than the interval."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Protocol

from synapse_otel.journal.folder import read_run
from synapse_otel.shipper.usage.cgroup import CGROUPS
from synapse_otel.shipper.usage.following import JournalUsage, Machine
from synapse_otel.shipper.usage.gpus import DRIVER, Gpus
from synapse_otel.shipper.usage.host import HostReading, ProcHost
from synapse_otel.shipper.usage.proc_tree import ProcTree, parents, tells_children
from synapse_otel.shipper.usage.reading import Tree

_SAID: Final = 100
_MACHINE_SECONDS: Final = 0.5
"""Values that are the same for all jobs are read at most this often."""


class Sampled(Protocol):
    """A journal whose process may be sampled."""

    folder: Path
    ended: bool
    usage: JournalUsage | None

    @property
    def runs_job(self) -> bool:
        """Whether a job of it runs."""

    def follow(self, usage: JournalUsage) -> None:
        """Set where to read its resource usage."""


class _Host(Protocol):
    def read(self) -> HostReading: ...

    def network(self, pid: int, /) -> tuple[int, int] | None: ...


class Sampler:
    """The samplers of a shipper. A failure is reported once, and affects only sampling."""

    def __init__(
        self,
        interval_seconds: float,
        say: Callable[[str], None],
        *,
        cgroups: Path = CGROUPS,
        driver: Iterable[Path] = DRIVER,
    ) -> None:
        """Begin; nothing is loaded before there is a live job.

        Args:
            interval_seconds: between two samples.
            say: called with a log line.
            cgroups: mount point of the cgroups' file systems.
            driver: files, one of which exists if there is a GPU driver.
        """
        self._interval = interval_seconds
        self._tell = say
        self._said: set[str] = set()
        self._cgroups = cgroups
        self._driver = tuple(driver)
        self._due = 0.0
        self._known: dict[Path, JournalUsage] = {}
        self._host: _Host | None = None
        self._gpus: Gpus | None = None
        self._machine: Machine | None = None
        self._read = 0.0

    def attach(self, journal: Sampled) -> None:
        """Add a journal that was just claimed."""
        usage = JournalUsage(journal.folder, read_run(journal.folder), cgroups=self._cgroups)
        usage.refresh = lambda: self._refresh(usage)
        self._known[journal.folder] = usage
        journal.follow(usage)

    def look(self, journals: Iterable[Sampled]) -> None:
        """Sample the jobs that run: those not sampled yet at once, and all when it is time."""
        now = time.monotonic()
        running: list[JournalUsage] = []
        lost = set(self._known)
        for journal in journals:
            lost.discard(journal.folder)
            usage = journal.usage
            if usage is not None and not journal.ended and not usage.over and journal.runs_job:
                running.append(usage)
        for folder in lost:
            self._known.pop(folder).over = True
        is_due = now >= self._due
        if is_due:
            self._due = now + self._interval
        for usage in running:
            if (is_due or usage.latest is None) and not usage.blind:
                self._sample(usage)

    def close(self) -> None:
        """Release the GPU driver."""
        if self._gpus is not None:
            self._gpus.close()

    def _refresh(self, usage: JournalUsage) -> None:
        if not (usage.over or usage.blind or usage.is_recent):
            self._sample(usage)

    def _sample(self, usage: JournalUsage) -> None:
        try:
            with usage.lock:
                if usage.tree is None:
                    self._find(usage)
                if usage.tree is not None and not usage.is_covered:
                    usage.sample(self._the_machine())
        except Exception as error:  # noqa: BLE001 - whatever a system does not let one see; the delivery goes on
            self._say(f"resource usage cannot be sampled: {type(error).__name__}: {error}")

    def _find(self, usage: JournalUsage) -> None:
        pid = usage.find()
        tree = _tree(pid) if pid is not None else None
        if tree is None or usage.find() != pid:  # it has ended in between, and another process may have its number
            usage.blind = True
            if usage.lives():
                text = "the process of a job is not visible from here, so its resource usage is not sampled"
                self._say(text, f"{text}: {usage.folder.name} is the first")
            return
        usage.begin(tree)
        usage.covered_by = self._above(usage, tree.root)

    def _above(self, usage: JournalUsage, root: int) -> JournalUsage | None:
        """Return the journal whose samples include a process already: its parent journal, if that started it."""
        journals = {other.journal: other for other in list(self._known.values()) if other.journal}
        above: list[int] | None = None
        seen = {usage.journal}
        parent = journals.get(usage.parent)
        while parent is not None and parent.journal not in seen:
            seen.add(parent.journal)
            if above is None:
                above = parents(root)
            if parent.tree is None and parent.find() in above:
                return parent
            if parent.tree is not None and parent.tree.root in above:
                return parent
            parent = journals.get(parent.parent)
        return None

    def _the_machine(self) -> Machine:
        now = time.monotonic()
        if self._machine is None or self._host is None or now - self._read >= _MACHINE_SECONDS:
            if self._host is None:
                self._host = _host()
                self._gpus = Gpus(self._say, self._driver)
            self._read = now
            devices = self._gpus.read() if self._gpus is not None else []
            self._machine = Machine(self._host.read(), devices, self._host.network)
        return self._machine

    def _say(self, what: str, line: str = "") -> None:
        """Report a failure once."""
        if what not in self._said and len(self._said) < _SAID:
            self._said.add(what)
            self._tell(line or what)


def _tree(pid: int) -> Tree | None:
    """Return the processes that a process has started; None if it is not visible."""
    if sys.platform == "linux" and tells_children():
        try:
            return ProcTree(pid)
        except (OSError, ValueError, IndexError):
            return None
    import psutil

    from synapse_otel.shipper.usage.psutil_tree import PsutilTree

    try:
        return PsutilTree(pid)
    except psutil.Error:
        return None


def _host() -> _Host:
    if sys.platform == "linux":
        return ProcHost()
    from synapse_otel.shipper.usage.host import PsutilHost

    return PsutilHost()
