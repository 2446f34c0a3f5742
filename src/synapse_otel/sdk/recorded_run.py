"""The run that is being recorded: its journals, and the folders in which they are made."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from synapse_otel._guard import let_through
from synapse_otel.journal.creation import create_journal
from synapse_otel.journal.files.syncing import NO_DESCRIPTOR
from synapse_otel.journal.folder import is_gone
from synapse_otel.journal.writer import JournalWriter
from synapse_otel.notices import Check, explained_by
from synapse_otel.semconv.signal import Signal


class RecorderOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a recorder needs to know; made from the settings."""

    root: Path
    """Folder of all journals."""
    destination: str
    """Key of the destination that journals are for."""
    budget_bytes: int
    own_scope: str
    """Instrumentation scope of the context API."""
    keep: bool = False
    retain: bool = False
    """Delivered segments stay within the budget of kept runs; where the journal is in `root`, not in memory."""
    secret_words: tuple[str, ...] = ()
    watched: str = ""
    """Token of the `synapse-otel run` that watches this process."""
    self_telemetry: bool = True


class RecordedRun:
    """A run of this process, or this process' part of one, and its journals."""

    def __init__(self, name: str, resource: Mapping[str, Any], journal_id: str | None = None, parent: str = "") -> None:
        self.name = name
        self.resource: dict[str, Any] = dict(resource)
        self.journal_id = journal_id
        """Of its first journal; None: any."""
        self.parent = parent
        """Journal of the run that this process works for; empty for one of its own."""
        self.journals: list[JournalWriter] = []
        """More than one where a disk was full."""
        self.lost: list[int] = [0] * len(Signal)
        """By signal, records that no journal could keep."""

    def further(self) -> RecordedRun:
        """Return another part of this run: what is recorded after its end, or by the child of a fork.

        It has an id and series of its own: two journals must not write the same ones.
        """
        last = self.journals[-1].run if self.journals else None
        journal_id = secrets.token_hex(16)
        resource = {**self.resource, "service.instance.id": journal_id}
        return RecordedRun(
            self.name,
            resource,
            journal_id,
            parent=self.parent if last is None else last.parent or last.journal,
        )

    @property
    def unwritten(self) -> int:
        """Records that no journal could keep."""
        return sum(self.lost) + sum(sum(journal.dropped) for journal in self.journals)

    def emitted(self) -> list[int]:
        """Return, by signal, how many records were recorded, lost ones included."""
        return [
            sum(journal.sequences[signal] + journal.dropped[signal] for journal in self.journals) + self.lost[signal]
            for signal in range(len(self.lost))
        ]


class JournalRoots:
    """The folders below which journals are made, the first choice first; what cannot be written is left out."""

    def __init__(self, folders: Iterable[Path], say: Callable[[str], None]) -> None:
        self.folders: list[Path] = list(folders)
        self._wanted = os.path.realpath(self.folders[0]) if self.folders else ""
        self._say = say

    def create(
        self, run: RecordedRun, options: RecorderOptions, *, failed: JournalWriter | None
    ) -> tuple[JournalWriter, memoryview] | None:
        """Make a journal in the first folder that takes it; return it, and the home of its state block.

        Args:
            run: what is recorded.
            options: the recorder's.
            failed: the journal that it goes on for, if there is one.

        Returns:
            None if no folder takes it.
        """
        errors: list[str] = []
        for root in list(self.folders):
            try:
                made = create_journal(
                    root,
                    run.name,
                    run.resource,
                    destination=options.destination,
                    budget=options.budget_bytes,
                    keep=options.keep,
                    retain=options.retain and root == options.root,
                    parent=failed.run.journal if failed is not None else run.parent,
                    continues=failed is not None,
                    # Records are told apart by their journal and number, and each journal counts for itself.
                    journal_id=run.journal_id if failed is None else None,
                    watched=options.watched,
                    self_telemetry=options.self_telemetry,
                    meant_for="" if os.path.realpath(root) == self._wanted else self._wanted,
                )
            except OSError as error:
                let_through(error)
                errors.append(f"{root}: {error.strerror or error}")
                if error.errno not in NO_DESCRIPTOR:  # that may be better when the next run begins
                    self.folders.remove(root)
                continue
            if errors:
                text = f"cannot write the journal in {'; '.join(errors)}; it goes on in {root}"
                self._say(f"{text}; {explained_by(Check.JOURNAL)}")
            return made
        if errors:
            text = f"no journal can be written ({'; '.join(errors)}): the job goes on, its telemetry is lost"
            self._say(f"{text}; {explained_by(Check.JOURNAL)}")
        return None

    def leave(self, failed: JournalWriter, error: OSError) -> None:
        """Say that a journal can no longer be written; unless it was deleted, none is made in its folder any more."""
        root = failed.folder.parent
        text = f"the journal in {root} can no longer be written: {error.strerror or error}"
        self._say(f"{text}; {explained_by(Check.JOURNAL)}")
        if root in self.folders and not is_gone(failed.folder):
            self.folders.remove(root)
