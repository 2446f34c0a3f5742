"""Starting the shipper's process from a job: detached, at most one for each user and destination."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from synapse_otel.journal.locks import is_locked
from synapse_otel.shipper.orders import ORDERS_VARIABLE, Orders, lock_path

_SHELL = "/bin/sh"
_PACKAGES = str(Path(__file__).resolve().parents[2])
_PROGRAM = """
import sys
sys.path[:0] = sys.argv[1:2]
import synapse_otel
sys.path[:1] = []
sys.path += sys.argv[1:]
from synapse_otel.shipper.process import main
main()
"""
"""This package comes from where the job has it, though another version be installed too. Everything else is looked for
first where the interpreter finds it by itself: a job's folder may hold an ``email.py`` of its own."""
_NO_OPENSSL = """
import sys
sys.modules["_ssl"] = sys.modules["_hashlib"] = None
"""
"""What loads them does without, as where Python was built without OpenSSL. It would take 5 MiB for nothing."""
_GUARD = """(
    tries=0
    while :; do
        "$@"
        code=$?
        case $code in 0 | 129 | 130 | 143) exit ;; esac
        [ $tries -lt 10 ] || exit
        sleep $tries || exit
        tries=$((tries + 1))
    done
) &"""
"""Starts the shipper, and starts it again when it was killed, as for want of memory, or has failed: a job that runs for
days, and may say nothing for hours, must not have to see to it. It waits as long as the shipper lives, and ends with
it when that leaves by itself, or by SIGTERM."""
_MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "262144"}
"""For the C library: a heap for each of its threads would take megabytes more, and what it has freed, requests above
all, it should give back."""
_NOT_FOR_IT = frozenset({"PYTHONPATH", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONASYNCIODEBUG", "PYTHONDEVMODE"})
"""Variables that would have the shipper load what instruments, profiles or debugs the job. It finds its modules
where the job has found them."""


def ensure_shipper(orders: Orders) -> bool:
    """Start the destination's shipper unless one is running; return whether one was started.

    The shipper is no child of this process: a shell starts it, so that nobody here has to reap it.

    Raises:
        OSError: no process could be started.
    """
    root = Path(orders.roots[0])
    if is_shipping(root, orders.key):
        return False
    found_in = dict.fromkeys([_PACKAGES, *(os.path.abspath(path) for path in sys.path if path)])
    program = _PROGRAM if orders.destination.needs_openssl else _NO_OPENSSL + _PROGRAM
    command = [sys.executable, "-P", "-c", program, *found_in]
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_IT}
    for name, value in _MEMORY.items():
        environment.setdefault(name, value)
    environment[ORDERS_VARIABLE] = orders.to_text()
    detached = os.path.exists(_SHELL)
    process = subprocess.Popen(  # noqa: S603 - this interpreter, with our own program
        [_SHELL, "-c", _GUARD, _SHELL, *command] if detached else command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )
    if detached:
        process.wait()
    return True


def is_shipping(root: Path, key: str) -> bool:
    """Say whether a destination's shipper is running; none of ours where we may not look."""
    try:
        return is_locked(lock_path(root, key))
    except OSError:
        return False
