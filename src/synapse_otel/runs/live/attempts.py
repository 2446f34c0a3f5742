"""`Attempts`: which runs of the list are of one resumed job, so that they are one entry."""

from __future__ import annotations

Key = tuple[str, ...]


class Attempts:
    """The runs of each job by their ids, kept up to date run by run."""

    def __init__(self) -> None:
        self._of_job: dict[Key, dict[str, int]] = {}
        """By job: when each of its runs began."""
        self._jobs: dict[str, Key] = {}

    def of(self, run: str) -> list[str]:
        """Return the runs of a run's job, the oldest first; empty if there is but this one."""
        found = self._of_job.get(self._jobs.get(run, ()), {})
        return sorted(found, key=found.__getitem__) if len(found) > 1 else []

    def place(self, run: str, job: Key | None, start: int) -> set[str]:
        """Add a run that began at Unix time ``start`` in ns; return the other runs that have another one now."""
        if job is not None and self._of_job.get(job, {}).get(run) == start:
            return set()
        changed = self.remove(run)
        if job is not None:
            self._jobs[run] = job
            runs = self._of_job.setdefault(job, {})
            changed |= runs.keys()
            runs[run] = start
        return changed

    def remove(self, run: str) -> set[str]:
        """Forget a run; return the other runs of its job."""
        job = self._jobs.pop(run, None)
        if job is None:
            return set()
        runs = self._of_job[job]
        del runs[run]
        if not runs:
            del self._of_job[job]
        return set(runs)
