"""The process that writes a journal, as its shipper sees it: whether it has ended, and whether it is known how."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Final

from synapse_otel.journal.folder import EXIT_FILE, Run, is_gone
from synapse_otel.journal.liveness import is_alive
from synapse_otel.shipper.pipelines.base import SignalPipeline
from synapse_otel.shipper.usage.following import note_oom_kill

LOOK_SECONDS: Final = 0.02
"""Three threads look; one look is enough for all of them."""
_EXIT_SECONDS: Final = 2.0
"""What is waited for the parent of a process that has died, to hear how."""


class WriterProcess:
    """Looks whether the process that writes a journal still lives."""

    def __init__(self, folder: Path, run: Run | None) -> None:
        self._folder = folder
        self._run = run
        self._looked = 0.0
        self._gone: float | None = None

    @property
    def awaits_exit(self) -> bool:
        """Whether it is gone, and its parent was given time to tell how it ended."""
        return self._gone is not None

    def look(self, pipelines: Collection[SignalPipeline]) -> bool:
        """Look, unless somebody has just looked, and return whether the process is seen to have ended.

        It is noted if the kernel killed it: out of memory. If one of the ``pipelines`` has read that the journal was
        closed, no more has to be known.
        """
        now = monotonic()
        if now - self._looked < LOOK_SECONDS:
            return False
        self._looked = now
        try:
            ended = not is_alive(self._folder, self._run)
        except OSError:
            return False  # the folder cannot be looked into now: that says nothing of the process
        if not ended or self._may_tell(now, pipelines):
            return False
        with suppress(OSError):  # a full disk: then it was killed, for all that is known
            note_oom_kill(self._folder)
        return True

    def _may_tell(self, now: float, pipelines: Collection[SignalPipeline]) -> bool:
        """Return whether the parent of the process may still report how it ended, for which it is given time."""
        if self._run is None or not self._run.watched or not is_gone(self._folder / EXIT_FILE):
            return False
        if self._gone is None:
            self._gone = now
        ended_well = all(pipeline.definitions.ended_well for pipeline in pipelines)
        return now - self._gone < _EXIT_SECONDS and not ended_well
