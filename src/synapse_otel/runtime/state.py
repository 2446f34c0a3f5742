"""What a process knows of its recording: how it is set up, and which jobs it runs."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from synapse_otel.mapping.job import Job
    from synapse_otel.runtime.process import ProcessRuntime


class ProcessState:
    """The one state of a process. Hold the lock to change it, or to read two parts of it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.runtime: ProcessRuntime | None = None
        """What `configure` or the first job has set up."""
        self.is_refused = False
        """The settings that another process handed over do not work here, which has been said."""
        self._jobs: list[Job] = []
        self._pid = os.getpid()

    @property
    def jobs(self) -> list[Job]:
        """The jobs that this process runs, the youngest last; in the child of a fork none of its parent's."""
        if self._pid != os.getpid():
            self._pid, self._jobs = os.getpid(), []
        return self._jobs

    def after_fork(self) -> None:
        """Take a new lock: another thread of the parent may have held the old one, and does not live here."""
        self.lock = threading.RLock()


STATE: Final = ProcessState()
