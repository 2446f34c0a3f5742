"""Starts the shipper's process from a job: detached, at most one per user and destination."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from synapse_otel._guard import raise_foreign
from synapse_otel.journal.files.locks import is_locked
from synapse_otel.shipper.configuration import ORDERS_VARIABLE, ShipperConfiguration, lock_path, log_path

_SHELL = "/bin/sh"
_PACKAGES = str(Path(__file__).resolve().parents[2])
_PROGRAM = """
import os, sys
library = os.path.dirname(os.__file__)
own = ("lib-dynload", f"python{sys.version_info[0]}{sys.version_info[1]}.zip")
standard = [path for path in sys.path if path == library or os.path.basename(path) in own]
job = [path for path in sys.argv[2:] if path not in standard]
behind = [path for path in sys.path if path not in standard and path not in job]
sys.path[:] = [*standard, sys.argv[1], *job, *behind]
import synapse_otel
del sys.path[len(standard)]
try:
    from synapse_otel.shipper.process import main
except BaseException:
    import json, traceback
    orders = json.loads(os.environ["SYNAPSE_OTEL_SHIPPER_ORDERS"])
    with open(os.path.join(orders["roots"][0], f"shipper-{orders['key']}.log"), "a") as log:
        log.write(traceback.format_exc())
    sys.exit(70)
main()
"""
"""Imports this package from where the job has it, even if another version is installed too. Everything else is searched
in the job's order, except Python's own modules: a job's folder may contain an ``email.py``."""
_NO_OPENSSL = """
import sys
try:
    for module in "_md5", "_sha1", "_sha2" if sys.version_info >= (3, 12) else "_sha256":
        __import__(module)
except ImportError:
    pass
else:
    sys.modules["_ssl"] = sys.modules["_hashlib"] = None
"""
"""Modules that import these work without them, as in a Python built without OpenSSL, if it has hashes of its own: some
builds have them from OpenSSL alone. It saves 5 MiB."""
_GUARD = """(
    tries=0
    while :; do
        "$@"
        code=$?
        case $code in 0 | 70 | 129 | 130 | 143) exit ;; esac
        [ $tries -lt 10 ] || exit
        sleep $tries || exit
        tries=$((tries + 1))
    done
) &"""
"""Starts the shipper, and restarts it if it was killed, for example out of memory, or has failed: a job that runs for
days, and may record nothing for hours, must not have to check it. It waits while the shipper is alive, and ends when
the shipper exits by itself, or by SIGTERM, or reports that it would fail again (`process.CANNOT_RUN`)."""
_MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "262144"}
"""For the C library: one heap per thread would take megabytes more, and freed memory, mostly of requests, should be
returned to the system."""
_NOT_FOR_IT = frozenset({"PYTHONPATH", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONASYNCIODEBUG", "PYTHONDEVMODE"})
"""Variables that would make the shipper load the job's instrumentation, profiler or debugger. Its module path is
passed separately."""


def ensure_shipper(configuration: ShipperConfiguration) -> bool:
    """Start the destination's shipper unless one is running; return whether one was started.

    The shipper is not a child of this process: a shell starts it, so that this process need not reap it.

    Raises:
        OSError: no process could be started, or there is no interpreter to start it with.
    """
    root = Path(configuration.roots[0])
    if is_shipping(root, configuration.key):
        return False
    python = interpreter()
    if python is None:
        raise OSError(errno.ENOEXEC, "it is not known to be a Python interpreter", sys.executable)
    program = _PROGRAM if configuration.destination.needs_openssl else _NO_OPENSSL + _PROGRAM
    command = [python, "-P", "-c", program, _PACKAGES, *_search_path()]
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_IT}
    for name, value in _MEMORY.items():
        environment.setdefault(name, value)
    environment[ORDERS_VARIABLE] = configuration.to_text()
    detached = os.path.exists(_SHELL)
    try:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, with our own program
            [_SHELL, "-c", _GUARD, _SHELL, *command] if detached else command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
    except (RuntimeError, ValueError) as error:  # the interpreter ends; a variable with a NUL byte
        raise OSError(errno.ECHILD, str(error)) from error
    if detached:
        process.wait()
    return True


def _search_path() -> list[str]:
    """Return this process's module path, in order; only folders that other processes can find, too."""
    found: dict[str, None] = {}
    for path in sys.path:
        with suppress(OSError, TypeError, ValueError):  # the working folder is gone; or it is no path at all
            if path and "\0" not in (absolute := os.path.abspath(os.fsdecode(path))):
                found[absolute] = None
    return list(found)


def why_it_ended(root: Path, key: str, since: float) -> str:
    """Return the last line of a shipper's log if it was written after a Unix time, or else an empty text."""
    log = log_path(root, key)
    try:
        if log.stat().st_mtime < since:
            return ""
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - _LAST_BYTES, 0))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError as error:
        raise_foreign(error)
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


_LAST_BYTES: Final = 4_096


def is_shipping(root: Path, key: str) -> bool:
    """Return whether a destination's shipper is running, as far as visible."""
    try:
        return is_locked(lock_path(root, key))
    except OSError as error:
        raise_foreign(error)
        return False


_PYTHON: Final = re.compile(r"(python|pypy)[\d.]*[a-z]{0,2}(-dbg)?", re.IGNORECASE)
"""File names of interpreters: ``python3``, ``python3.13t``, ``python3.11-dbg``, ``pypy3.10``."""


def interpreter() -> str | None:
    """Return the interpreter that runs this process; None if it may be another program.

    In a frozen program (PyInstaller, cx_Freeze, Nuitka), and if Python is embedded in another one (uWSGI, an
    application with scripts), ``sys.executable`` is that program, if it is set: starting it would run the user's
    work again.
    """
    path = sys.executable
    if not path or is_frozen() or not (os.path.isfile(path) and os.access(path, os.X_OK)):
        return None
    names = {os.path.basename(path), os.path.basename(os.path.realpath(path))}
    return path if any(_PYTHON.fullmatch(name) for name in names) else None


def is_frozen() -> bool:
    """Return whether the program is bundled with its Python."""
    return bool(getattr(sys, "frozen", False)) or hasattr(sys.modules.get("__main__"), "__compiled__")


def runs_threads() -> bool:
    """Return whether threads run here: in uWSGI they do not unless `enable-threads` is set."""
    uwsgi = sys.modules.get("uwsgi")
    if uwsgi is None:
        return True
    given = getattr(uwsgi, "opt", {})
    return any(name in given or name.encode() in given for name in ("enable-threads", "threads"))
