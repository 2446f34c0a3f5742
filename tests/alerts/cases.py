"""The cases on which the Python text of the classifier and its rules for Prometheus have to agree."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from synapse_otel import semconv
from synapse_otel.runs.state import RunState, classify
from synapse_otel.settings import Settings
from tests.alerts.telemetry import Point

STALL_SECONDS = float(Settings.model_fields["stall_timeout"].default)
HEARD_SECONDS = 300.0
"""For how long after its last heartbeat a job counts as alive where nobody tells that it is not."""


@dataclass(frozen=True)
class Case:
    """A job: what is true of it, and how that is told."""

    ended: bool
    """It has ended by itself."""
    alive: bool
    """Its process lives."""
    silent_seconds: float = 0
    """Since its last record or progress until its last heartbeat."""
    told: bool = True
    """Its shipper lives, and tells."""
    heard_seconds: float = 0
    """Since its last heartbeat."""
    result: str = semconv.RESULT_SUCCESS

    @property
    def name(self) -> str:
        words = ["ended" if self.ended else "open", "alive" if self.alive else "dead"]
        words += [f"silent {self.silent_seconds:g}", "told" if self.told else "untold", f"heard {self.heard_seconds:g}"]
        return " ".join([*words, self.result])

    @property
    def state(self) -> RunState:
        """What the Python text says."""
        return classify(
            ended=self.ended, alive=self.alive, silent_seconds=self.silent_seconds, stall_seconds=STALL_SECONDS
        )

    def points(self, now: float) -> list[Point]:
        """Return what Prometheus is told of it until `now`, in seconds of Unix time by the job's own clock."""
        run, heard = f"run of {self.name}", self.heard_seconds
        beat = now - heard
        gone = not self.alive and self.told
        found = [
            Point(semconv.JOB_HEARTBEAT_TIME, beat, heard, run, self.name),
            Point(semconv.JOB_ACTIVITY_TIME, beat - self.silent_seconds, heard, run, self.name),
            Point(semconv.JOB_ACTIVE, 0 if self.ended or gone else 1, 0 if gone else heard, run, self.name),
        ]
        if self.ended or gone:
            result = self.result if self.ended else semconv.RESULT_ERROR
            found.append(Point(semconv.JOB_DURATION, 1, heard, run, attributes={semconv.JOB_RESULT: result}))
        if gone and not self.ended:
            found.append(Point(semconv.JOB_CRASHES, 1, 0, run, self.name, {semconv.ERROR_TYPE: "SIGKILL"}))
        return found


SILENCES = (0.0, STALL_SECONDS - 1, STALL_SECONDS, STALL_SECONDS + 1, 3000.0)
KNOWN = {
    Case(ended=False, alive=True): "live",
    Case(ended=False, alive=True, silent_seconds=STALL_SECONDS): "live",
    Case(ended=False, alive=True, silent_seconds=STALL_SECONDS + 1): "stalled",
    Case(ended=False, alive=False): "crashed",
    Case(ended=False, alive=False, silent_seconds=STALL_SECONDS + 1): "crashed",
    Case(ended=False, alive=False, told=False, heard_seconds=HEARD_SECONDS + 1): "crashed",
    Case(ended=True, alive=False): "done",
    Case(ended=True, alive=False, result=semconv.RESULT_ERROR): "done",
    Case(ended=True, alive=True, silent_seconds=STALL_SECONDS + 1): "done",
}
"""What a reader of the words expects."""

TOLD = [
    Case(ended=ended, alive=alive, silent_seconds=silent, result=result)
    for ended, alive, silent in itertools.product((False, True), (False, True), SILENCES)
    for result in ((semconv.RESULT_SUCCESS, semconv.RESULT_FAILURE, semconv.RESULT_ERROR) if ended else ("",))
]
UNTOLD = [
    # Until the heartbeats have been away for long enough, what was told last holds.
    *(Case(ended=False, alive=True, silent_seconds=silent, heard_seconds=HEARD_SECONDS) for silent in SILENCES),
    *(
        Case(ended=False, alive=False, silent_seconds=silent, told=False, heard_seconds=HEARD_SECONDS + 1)
        for silent in SILENCES
    ),
    Case(ended=False, alive=False, told=False, heard_seconds=3000),
    Case(ended=True, alive=False, told=False, heard_seconds=3000),
]
CASES = list(dict.fromkeys([*KNOWN, *TOLD, *UNTOLD]))
