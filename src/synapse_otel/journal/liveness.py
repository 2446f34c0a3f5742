"""Whether the process that writes a journal is alive: by its lock, and by the process itself if it is visible.

A lock can be lost while its process is alive: a file server was down for too long, or the process could only take a
lock that is released when it closes the file. A visible process that has not closed its journal counts as alive, too.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from synapse_otel import semconv
from synapse_otel._guard import let_through
from synapse_otel.journal.files.locks import is_locked
from synapse_otel.journal.folder import ALIVE_LOCK, Exit, Run, read_run, segment_numbers, segment_path
from synapse_otel.journal.frames import HEADER, HEADER_SIZE, MARK, MARK_BYTES, Kind, checksum, seed
from synapse_otel.journal.segment import RESERVE

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_STATE, START, _STACK = 0, 19, 25
"""Fields of ``/proc/PID/stat`` after the name: the state, the start time, and the start of the stack, which
distinguishes the programs that one process becomes by ``exec``."""
_DEAD: Final = frozenset("ZXx")


def birth(process: int | str = "self") -> str:
    """Return a text that distinguishes a process from all others with the same id; empty if there is none."""
    try:
        fields = stat_fields(process)
        return f"{boot_and_namespace()} {fields[START]} {fields[_STACK]}"
    except (OSError, ValueError, IndexError) as error:
        let_through(error)
        return ""


def lives(run: Run | None) -> bool | None:
    """Return whether a journal's process is alive; None if it is not visible, as in another container."""
    if run is None or not run.birth:
        return None
    try:
        here = f"{boot_and_namespace()} "
        if not run.birth.startswith(here):
            return None
        fields = stat_fields(run.process)
        return f"{here}{fields[START]} {fields[_STACK]}" == run.birth and fields[_STATE] not in _DEAD
    except FileNotFoundError:
        return None if _exists(run.process) else False
    except (OSError, ValueError, IndexError):
        return None


def is_alive(folder: Path, run: Run | None = None) -> bool:
    """Return whether the process that writes a journal is alive.

    Args:
        folder: the folder of the journal.
        run: the journal's run, if it was read before.

    Raises:
        OSError: the folder cannot be read.
    """
    try:
        if is_locked(folder / ALIVE_LOCK):
            return True
    except FileNotFoundError:
        return False
    return bool(lives(run or read_run(folder))) and not is_closed(folder)


def is_closed(folder: Path) -> bool:
    """Return whether a journal's process has closed it: its last segment ends with its end."""
    numbers = segment_numbers(folder)
    if not numbers:
        return True  # delivered and deleted
    with suppress(FileNotFoundError), segment_path(folder, numbers[-1]).open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(file.tell() - RESERVE, 0))
        data = file.read()
        return any(_is_end(data[at:]) for at in range(len(data)) if data.startswith(MARK_BYTES, at))
    return True


def _is_end(data: bytes) -> bool:
    if len(data) < HEADER_SIZE:
        return False
    mark, kind, count, length, check, sequence = HEADER.unpack_from(data)
    payload = data[HEADER_SIZE : HEADER_SIZE + length]
    return bool(mark == MARK and kind == Kind.END and checksum(payload, seed(kind, count, sequence)) == check)


def boot_and_namespace() -> str:
    """Return what says where a process's id and start hold: the boot of the machine, and the namespace of ids."""
    # Bytes, here and below: for text, Python looks for a module of its own, which a job that has changed may not find.
    return f"{_BOOT.read_bytes().decode().strip()} {os.readlink('/proc/self/ns/pid')}"


def stat_fields(process: int | str) -> list[str]:
    """Return the fields of ``/proc/PID/stat`` after the name."""
    return Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].decode().split()


def _exists(process: int) -> bool:
    """Return whether there is such a process, even if it is hidden in ``/proc``."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def cause_of_death(ended: Exit | None, *, oom_killed: bool) -> str:
    """Return the `error.type` of a process that did not close its journal.

    Args:
        ended: its parent's report; None if there is none.
        oom_killed: the kernel counted an out-of-memory kill in the process's cgroup as it died.
    """
    if oom_killed and (ended is None or ended.signal == "SIGKILL"):
        return semconv.ERROR_TYPE_OOM
    return (ended.error_type if ended else "") or semconv.ERROR_TYPE_KILLED
