"""What a run is called: as somebody says, as its platform knows it, or by a number that counts on this machine."""

from __future__ import annotations

import secrets
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Final

from synapse_otel._guard import let_through
from synapse_otel.journal.numbering import next_number, number_of
from synapse_otel.mapping.arguments import TAG_LIMIT
from synapse_otel.mapping.start_job import JobSpec
from synapse_otel.settings import Settings

_SPOKEN: Final = 12
"""Characters of an id that one can say; a longer one is a UUID or the like."""


def labelled(spec: JobSpec, settings: Settings, *, has_journal: bool) -> JobSpec:
    """Return a job that begins a run, with the run's name, tags and notes.

    Args:
        spec: the job; what it says itself comes before the settings. Tags of both hold.
        settings: of the process.
        has_journal: whether there is a folder in which runs can be counted.
    """
    named = replace(
        spec,
        name=spec.name or settings.run_name,
        tags=(*spec.tags, *settings.run_tags)[:TAG_LIMIT],
        notes=spec.notes or settings.run_notes,
    )
    return named if named.name else replace(named, name=_own_name(named, settings.journal_dir if has_journal else None))


def _own_name(spec: JobSpec, root: Path | None) -> str:
    """Return a name for a job without one. A resumed job has the same one as before, if its platform gave it an id."""
    known = spec.trial or spec.job_id
    if known and len(known) <= _SPOKEN and known.isprintable() and not any(map(str.isspace, known)):
        return f"{spec.kind}-{known}"
    return counted_name(spec.kind, root, "\n".join(filter(None, (spec.job_id, spec.trial))))


def counted_name(kind: str, root: Path | None, job: str = "") -> str:
    """Return a name for a run of a kind: with a number, or where none can be had with a few digits.

    Args:
        kind: what it is called before the number.
        root: folder of all journals; None: there is none.
        job: id of its job: each of its runs gets the same number. Empty: the next one.
    """
    try:
        if root is not None:
            return f"{kind}-{number_of(root, kind, job) if job else next_number(root, kind)}"
    except OSError as error:
        let_through(error)  # the journal is written elsewhere, or nowhere, which is reported
    digits = blake2b(job.encode("utf-8", "surrogatepass"), digest_size=2).hexdigest() if job else secrets.token_hex(2)
    return f"{kind}-{digits}"
