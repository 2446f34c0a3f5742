"""The folder of a journal: its files, and how to create, find and list folders.

::

    <root>/<run>/run.json            what this run is (`Run`); replaced when the run is redirected
                 alive.lock          locked by the job's process while it is alive
                 ship.lock           locked by the shipper that has claimed the journal
                 ship.json           that shipper (`Holder`); its modification time is the last sign of life
                 state               the state block
                 00000001.segment    frames, the oldest segment first
                 cursor-logs.json    how far each signal has been delivered
                 quarantine.jsonl    records that the server rejected as invalid
                 exit.json           how the process ended (`Exit`), if its parent reported it
                 summary.json        summary of its jobs and metrics, written when they are delivered
                 usage               resource usage (`UsageSample`), if a shipper has sampled it
    <root>/.runs-train-yolo          as many bytes as runs of this kind have begun (`numbering`)
           .jobs-train-yolo          the numbers of jobs whose platform gave them a long id (`numbering`)
           page, page.lock           address of the page that `view` serves, and its lock

Folders are 0700, files 0600. Readers ignore folders whose name begins with a dot: they are being created.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import tempfile
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from time import gmtime, strftime, time
from typing import Final, TypeVar

import msgspec

from synapse_otel._guard import raise_foreign
from synapse_otel.journal.files.descriptors import open_file
from synapse_otel.journal.files.syncing import sync_folder
from synapse_otel.journal.frames import read_header
from synapse_otel.journal.state_block import BLOCK_SIZE, SlotValue, read_block

RUN_FILE: Final = "run.json"
ALIVE_LOCK: Final = "alive.lock"
SHIP_LOCK: Final = "ship.lock"
STATE_FILE: Final = "state"
QUARANTINE_FILE: Final = "quarantine.jsonl"
EXIT_FILE: Final = "exit.json"
_SEGMENT: Final = re.compile(r"(\d{8})\.segment")
_FOLDER_NAME: Final = re.compile(r"\d{8}T\d{6}Z-(.+)-[0-9a-f]{8}")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.-]+")


_T = TypeVar("_T")


class Run(msgspec.Struct, frozen=True):
    """Description of a run: written when its journal is created; later, only its destination changes."""

    journal: str
    """Id of the journal, 32 hexadecimal digits."""
    name: str
    """What the run is called; of versions without names: its action and plugin."""
    created: float
    """Unix time in seconds."""
    process: int
    """Process id; for people, not for checking whether it is alive."""
    destination: str
    """Key of the destination that the journal is for."""
    keep: bool = False
    """Whether delivered segments are kept until all journals together need the space."""
    parent: str = ""
    """Parent journal: of the process that forked this one, or the one that could no longer be written."""
    continues: bool = False
    """The journal continues its parent, which could no longer be written."""
    version: int = 1
    """Of the journal's format (`FORMAT_VERSION`): leave a journal alone whose version is higher than you know."""
    watched: str = ""
    """Token of the ``synapse-otel run`` that watches the process, and will record its end; empty for none."""
    self_telemetry: bool = True
    """Its delivery account is also sent as metrics."""
    birth: str = ""
    """Distinguishes the process from others with the same id (`liveness.birth`); empty if unknown."""
    retain: bool = False
    """Whether delivered segments stay within the budget of kept runs."""
    meant_for: str = ""
    """Folder of journals that could not be written, so that this one is in a fallback folder; empty if it is not."""

    @property
    def stays(self) -> bool:
        """Whether its segments stay when they are delivered."""
        return self.keep or self.retain


class Exit(msgspec.Struct, frozen=True):
    """How a process ended, as its parent saw it."""

    code: int | None = None
    """Exit status; None if unknown, or if a signal ended the process."""
    signal: str = ""
    """Name of the signal that ended it, like ``SIGKILL``."""
    core: bool = False
    """The kernel has written a core file."""
    stderr: list[str] = []
    """The last lines that the process wrote there."""
    time: float = 0.0
    """Unix time in seconds at which the parent learned of it."""

    @property
    def error_type(self) -> str:
        """The `error.type` for a process that did not end its job: the signal, else the status; or empty."""
        return self.signal or (f"exit_{self.code}" if self.code is not None else "")

    def __str__(self) -> str:
        """Return how it ended, in few words; empty if unknown."""
        if self.signal:
            return f"ended by {self.signal}{' (core dumped)' if self.core else ''}"
        return f"exit status {self.code}" if self.code is not None else ""


def read_exit(folder: Path) -> Exit | None:
    """Return how the process that wrote a journal ended; None if no parent reported it, or it cannot be read."""
    return read_json(folder / EXIT_FILE, Exit)


def write_exit(folder: Path, ended: Exit) -> None:
    """Record how the process that wrote a journal ended.

    Raises:
        OSError: it cannot be written.
    """
    replace_file(folder / EXIT_FILE, msgspec.json.encode(ended))


def read_json(path: Path, kind: type[_T]) -> _T | None:
    """Return what a file of a journal holds; None if it cannot be read as that."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file of a journal, 0600, so that a reader sees either the old or the new one, complete.

    Raises:
        OSError: it cannot be written; the old one is unchanged.
    """
    making = path.with_name(f".{path.name}")
    descriptor = open_file(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    making.replace(path)


def segment_path(folder: Path, number: int) -> Path:
    """Return the path of a segment."""
    return folder / f"{number:08d}.segment"


def segment_numbers(folder: Path) -> list[int]:
    """Return the numbers of the existing segments, the oldest first; empty if the folder is gone."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = (_SEGMENT.fullmatch(name) for name in names)
    return sorted(int(match[1]) for match in found if match)


def delete_segment(folder: Path, number: int) -> int:
    """Delete a segment; return the bytes that it had, 0 if another process was quicker."""
    path = segment_path(folder, number)
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0
    path.unlink(missing_ok=True)
    return size


def read_run(folder: Path) -> Run | None:
    """Return the run from ``run.json``, or else from the segments; None if neither can be read."""
    return read_json(folder / RUN_FILE, Run) or _run_of_segments(folder)


def redirect(folder: Path, destination: str) -> bool:
    """Redirect a run to another destination: the shipper of the old one releases it.

    Returns:
        False: it is for that destination already, or cannot be read.

    Raises:
        OSError: it cannot be written.
    """
    run = read_run(folder)
    if run is None or run.destination == destination:
        return False
    replace_file(folder / RUN_FILE, msgspec.json.encode(msgspec.structs.replace(run, destination=destination)))
    return True


def _run_of_segments(folder: Path) -> Run | None:
    for number in segment_numbers(folder):
        header = read_header(segment_path(folder, number))
        if header is not None:
            name = _FOLDER_NAME.fullmatch(folder.name)
            return Run(
                journal=header.journal,
                name=name[1] if name else folder.name,
                created=header.created / 1e9,
                process=0,
                destination=header.destination,
                keep=True,  # it is not known whether anybody wants to look at it
                continues=header.continues,
                version=header.version,
            )
    return None


def run_folders(root: Path, known: Container[Path] = ()) -> Iterator[Path]:
    """Yield the folders of all runs below a root, the oldest first, except known ones.

    A root that does not exist, or may not be read, has none: it must not block the others (`look_into`).
    """
    try:
        names = sorted(os.listdir(root))
    except OSError:
        return
    for name in names:
        folder = root / name
        if not name.startswith(".") and folder not in known and is_run(folder):
            yield folder


def look_into(root: Path) -> None:
    """Raise the error that prevents reading a root; a root that does not exist (yet) is empty.

    Raises:
        OSError: it may not be read.
    """
    try:
        os.listdir(root)
    except (FileNotFoundError, NotADirectoryError):
        return


def is_run(folder: Path) -> bool:
    """Return whether a folder is a run's; ``run.json`` may be missing. A folder that may not be read is none."""
    try:
        return (folder / RUN_FILE).is_file() or bool(segment_numbers(folder))
    except OSError:
        return False  # another user's, or out of reach now: it must not hold up the others


def is_gone(path: Path) -> bool:
    """Return whether a file or folder does not exist; one that cannot be checked now counts as existing."""
    try:
        path.lstat()
    except OSError as error:
        raise_foreign(error)
        return error.errno in _GONE
    return False


_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ESTALE})
"""What is said of it; the last of a file that was deleted on the file server."""


def spare_roots() -> list[Path]:
    """Return the fallback folders if the root cannot be written: memory first, then temporary files."""
    name = f"synapse-otel-{os.geteuid()}"
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own below it, 0700
    roots = [memory] if memory.is_dir() else []
    with suppress(OSError):  # none of the folders for temporary files can be written
        roots.append(Path(tempfile.gettempdir()))
    return [root / name for root in roots]


def is_listed(run: Run, root: Path, roots: Sequence[Path]) -> bool:
    """Return whether a run that is below ``root`` belongs to the list of the runs below ``roots``, of which it is one.

    All jobs of a user share the fallback folders: below those, only what was meant for one of ``roots`` does. The first
    of them is the one that was asked for, with all that is in it.
    """
    return not run.meant_for or root == roots[0] or run.meant_for in map(os.path.realpath, roots)


def is_own(folder: Path) -> bool:
    """Return whether a folder belongs to the user; one that does not exist may be the user's."""
    try:
        return folder.stat().st_uid == os.geteuid()
    except (FileNotFoundError, NotADirectoryError):
        return True


def make_root(root: Path) -> None:
    """Create the folder of all runs, or check that it belongs to this user.

    Raises:
        OSError: it cannot be created.
        PermissionError: it belongs to another user.
    """
    new = list(takewhile(is_gone, (root, *root.parents)))
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in new:
        sync_folder(path.parent)
    status = root.lstat()
    if status.st_uid != os.geteuid():
        msg = f"{root} belongs to another user"
        raise PermissionError(msg)


def new_folder_name(name: str) -> str:
    """Return a folder's name that sorts by time and describes the run: ``20261122T171500Z-train-yolo-1a2b3c4d``."""
    return f"{strftime('%Y%m%dT%H%M%SZ', gmtime(time()))}-{safe_name(name)}-{secrets.token_hex(4)}"


def safe_name(name: str) -> str:
    """Return a name as a part of a file's: letters, digits and ``_.-``, at most 60."""
    return _UNSAFE.sub("_", name)[:60].strip("_.") or "run"


def folder_size(folder: Path) -> int:
    """Return the disk space of a folder's segments, in bytes."""
    size = 0
    for number in segment_numbers(folder):
        try:
            size += segment_path(folder, number).stat().st_size
        except FileNotFoundError:
            continue
    return size


def read_slots(folder: Path) -> list[SlotValue]:
    """Return the content of a journal's state block; empty if its folder is being deleted."""
    try:
        data = (folder / STATE_FILE).read_bytes()
    except FileNotFoundError:
        return []
    return list(read_block(memoryview(data[:BLOCK_SIZE])))
