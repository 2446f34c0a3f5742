"""The folder of the journals: whether a job can write it, and what waits in it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from synapse_otel._text import counted
from synapse_otel.doctor.finding import Finding, Level
from synapse_otel.journal.account import account_of
from synapse_otel.journal.destination_key import read_salt
from synapse_otel.journal.files.lock_holder import Holder, Role, place
from synapse_otel.journal.folder import is_listed, is_own, read_run, run_folders, spare_roots
from synapse_otel.journal.segment import allocate
from synapse_otel.notices import Check
from synapse_otel.otlp.destination import Destination
from synapse_otel.runs import RunState, emitted_records, run_state
from synapse_otel.settings import Settings
from synapse_otel.shipper.end_hung import silent_shippers
from synapse_otel.shipper.launch import is_shipping

_MEBIBYTE: Final = 1 << 20
_PROBE_BYTES: Final = 1 << 16


def journal(settings: Settings) -> Iterator[Finding]:
    """Yield whether a job could write in the folder of the journals."""
    yield from _folder(settings.journal_dir, int(settings.journal_budget))


def runs(settings: Settings, destination: Destination) -> Iterator[Finding]:
    """Yield what waits in the folder of the journals, and in those that are used where it cannot be written."""
    root = settings.journal_dir
    if not is_own(root):
        return
    roots = [root, *(spare for spare in spare_roots() if spare.exists())]
    folders = [folder for one in roots for folder in run_folders(one)]
    yield from _runs(folders, roots, destination.key(read_salt(root)) if folders else "")


def _folder(root: Path, budget: int) -> Iterator[Finding]:
    """Return whether a job could write there: by writing."""
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    found = partial(Finding, check=Check.JOURNAL, about=str(root))
    if not is_own(root):
        text = "belongs to another user: jobs write elsewhere, or nowhere"
        advice = "set SYNAPSE_OTEL_JOURNAL_DIR to a folder of your own"
        yield found(level=Level.FAILURE, text=text, advice=advice)
        return
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            is_mapped = allocate(file.fileno(), _PROBE_BYTES)
            os.pwrite(file.fileno(), bytes(_PROBE_BYTES), 0)
            os.fsync(file.fileno())
    except OSError as error:
        text = f"cannot be written ({error.strerror}): records go to memory-backed folders, which a restart deletes"
        advice = "free disk space, or set SYNAPSE_OTEL_JOURNAL_DIR to a writable folder"
        yield found(level=Level.FAILURE, text=text, advice=advice)
        return
    free = shutil.disk_usage(existing).free
    facts = {"free_bytes": free, "mapped": is_mapped}
    text = f"{free / _MEBIBYTE:,.0f} MiB free, written {'through memory' if is_mapped else 'by system calls'}"
    if free < budget:
        text += f"; one run may take {budget / _MEBIBYTE:,.0f} MiB"
        advice = "free disk space, or lower SYNAPSE_OTEL_JOURNAL_BUDGET"
        yield found(level=Level.WARNING, text=text, advice=advice, facts=facts)
    else:
        yield found(level=Level.OK, text=text, facts=facts)


def _runs(folders: list[Path], roots: list[Path], key: str) -> Iterator[Finding]:
    """Say what waits, and whether somebody delivers it."""
    waiting: Counter[bool] = Counter()
    pending: Counter[bool] = Counter()
    failures: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    crashed = []
    for folder in folders:
        account = account_of([folder], emitted_records(folder))
        run = read_run(folder)
        listed = run is None or is_listed(run, folder.parent, roots)
        if listed and run_state(folder) is RunState.CRASHED:
            crashed.append(folder.name)
        dropped.update(account.dropped)
        if not account.pending:
            continue
        own = run is None or run.destination == key
        waiting[own] += 1
        pending[own] += account.pending
        if account.failure:
            failures[account.failure] += 1
    ships = any(is_shipping(root, key) for root in roots) if key else False
    yield _delivery(len(folders), waiting[True], pending[True], ships=ships)
    if waiting[False]:
        text = f"{waiting[False]:,} runs with {pending[False]:,} pending records are for other addresses or headers"
        advice = "`synapse-otel sync --all` sends all to the current destination, `synapse-otel sync RUN` sends one"
        yield Finding(check=Check.RUNS, about="other destinations", level=Level.WARNING, text=text, advice=advice)
    for silent in silent_shippers(roots):
        yield Finding(
            check=Check.RUNS, about="silent", level=Level.WARNING, text=str(silent), advice=_instead_of(silent.holder)
        )
    for failure, count in sorted(failures.items()):
        text = f"the last attempt failed for {count:,} of them: {failure}"
        yield Finding(check=Check.RUNS, about="last failure", level=Level.WARNING, text=text)
    for reason, count in sorted(dropped.items()):
        text = f"{counted(count, 'record was', 'records were')} dropped: {reason}"
        advice = "`synapse-otel jobs` shows the runs; docs/what-is-lost.md explains why, and what to do"
        yield Finding(check=Check.RUNS, about="dropped", level=Level.WARNING, text=text, advice=advice)
    if crashed:
        killed = counted(len(crashed), "run was", "runs were")
        text = f"{killed} killed, the last one {crashed[-1]}"
        advice = f"`synapse-otel jobs {crashed[-1]}` shows how"
        yield Finding(check=Check.RUNS, about="killed", level=Level.NOTE, text=text, advice=advice)


def _delivery(runs: int, waiting: int, pending: int, *, ships: bool) -> Finding:
    """Return what waits for the destination that is set now."""
    facts = {"runs": runs, "waiting": waiting, "pending": pending, "shipper_runs": ships}
    found = partial(Finding, check=Check.RUNS, about="delivery", facts=facts)
    if not waiting:
        return found(level=Level.OK, text=f"nothing is pending for this destination, of {counted(runs, 'run')}")
    shipper = "a shipper is running" if ships else "no shipper is running"
    verb = "is" if pending == 1 else "are"
    text = f"{counted(pending, 'record')} of {counted(waiting, 'run')} {verb} pending; {shipper}"
    advice = "" if ships else "`synapse-otel sync` delivers it now; the next job starts a shipper"
    return found(level=Level.NOTE if ships else Level.WARNING, text=text, advice=advice)


def _instead_of(holder: Holder) -> str:
    """Return how to replace a shipper that gives no sign of life."""
    process = holder.process
    if holder.place != place():
        return f"it runs in another container or on another machine: end its process {process} there, then run `sync`"
    if holder.role is Role.PROCESS:
        return "`synapse-otel sync --all` ends it and delivers its records; the next job starts another one"
    if holder.role is Role.THREAD:
        return f"that process is stopped or hangs: `kill -CONT {process}` resumes it"
    return f"`kill -CONT {process}` resumes it, `kill -KILL {process}` ends it; neither loses records"
