"""What the calls of a killed job had returned from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self


@dataclass
class Told:
    """What was acknowledged, by kind of call."""

    begun: int = 0
    """The job's process id, once it has begun."""
    messages: list[str] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    samples: list[int] = field(default_factory=list)
    progress: int = 0
    """The last one."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what a job has said; a line that it was killed in says nothing."""
        told = cls()
        text = path.read_text() if path.exists() else ""
        for line in text.splitlines(keepends=True):
            if line.endswith("\n"):
                told.add(*line.rstrip("\n").split(" ", 1))
        return told

    def add(self, kind: str, value: str) -> None:
        """Take up one line."""
        match kind:
            case "b":
                self.begun = int(value)
            case "m":
                self.messages.append(value)
            case "e":
                self.events.append(int(value))
            case "s":
                self.samples.append(int(value))
            case "p":
                self.progress = int(value)

    @property
    def records(self) -> int:
        """How many records were acknowledged; the last progress counts as one."""
        return len(self.messages) + len(self.events) + 2 * len(self.samples) + bool(self.progress)
