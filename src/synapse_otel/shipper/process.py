"""The shipper as a separate process: one per user and destination, started by the first job that needs it."""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from synapse_otel.journal.files.descriptors import open_file, take_standard
from synapse_otel.journal.files.lock_holder import Role, SignOfLife
from synapse_otel.journal.files.locks import FileLock
from synapse_otel.journal.folder import make_root
from synapse_otel.shipper.configuration import ORDERS_VARIABLE, ShipperConfiguration, lock_path, log_path
from synapse_otel.shipper.service import Shipper

_LOG_LIMIT: Final = 1 << 20
CANNOT_RUN: Final = os.EX_SOFTWARE
"""Exit status of a shipper that would fail again: a library is missing or has the wrong version."""


def main() -> None:
    """Deliver until there is nothing left to do."""
    stop = Stop()
    signal.signal(signal.SIGTERM, stop)
    # What the job's process was started with, or had set when it started this one, is not for this one.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    allow_files()
    collect_seldom()
    configuration = ShipperConfiguration.from_text(os.environ.pop(ORDERS_VARIABLE))
    root = Path(configuration.roots[0])
    make_root(root)
    take_standard()  # or a socket gets the number of a stream that is closed
    lock = FileLock(lock_path(root, configuration.key))
    say = _Log(log_path(root, configuration.key))
    while not stop.wanted and acquire(lock):
        sign = SignOfLife(lock_path(root, configuration.key), Role.PROCESS, configuration.key)
        try:
            shipper = Shipper(configuration, say, role=Role.PROCESS, sign=sign)
            stop.hear(shipper)
            shipper.run(idle_seconds=configuration.idle_seconds, failing_seconds=configuration.failing_seconds)
        except Exception as error:  # noqa: BLE001 - whatever it is, it stands in the log, and another one is started
            say(traceback.format_exc())
            sys.exit(CANNOT_RUN if isinstance(error, ImportError | SyntaxError) else 1)
        finally:
            sign.withdraw()
            lock.release()
        # A job that came while the lock was still held has started nobody: look once more.
        if not shipper.finds_work():
            break


class Stop:
    """Signal handler: stops the shipper cleanly, even before it has begun."""

    def __init__(self) -> None:
        self.wanted = False
        self._shipper: Shipper | None = None

    def __call__(self, _number: int, _frame: Any) -> None:
        """Stop."""
        self.wanted = True
        if self._shipper is not None:
            self._shipper.stop_soon()

    def hear(self, shipper: Shipper) -> None:
        """Stop this one from now on."""
        self._shipper = shipper
        if self.wanted:
            shipper.stop_soon()


def allow_files() -> None:
    """Raise the limit of open files: each claimed journal takes four."""
    with suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def collect_seldom() -> None:
    """Let the garbage collector run seldom: reading and sending create many objects, but hardly any cycles."""
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, *gc.get_threshold()[1:])


def acquire(lock: FileLock) -> bool:
    """Take the lock; a job that checks it holds it for some microseconds, so try more than once."""
    for _ in range(_TRIES):
        if lock.acquire():
            return True
        time.sleep(_TRY_SECONDS)
    return False


_COLLECT_AFTER: Final = 50_000
"""Number of objects; the interpreter's default of 700 took a sixth of the shipper's time."""
_TRIES: Final = 10
_TRY_SECONDS: Final = 0.02


class _Log:
    """Appends lines to a file that is restarted when it is too large."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, line: str) -> None:
        """Write a line with the time and the process id."""
        text = f"{time.strftime('%Y-%m-%dT%H:%M:%S')} [{os.getpid()}] {line}\n"
        try:
            descriptor = open_file(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            try:
                if os.fstat(descriptor).st_size > _LOG_LIMIT:
                    os.ftruncate(descriptor, 0)
                os.write(descriptor, text.encode("utf-8", "replace"))
            finally:
                os.close(descriptor)
        except OSError as error:
            sys.stderr.write(f"{text.rstrip()} (the log cannot be written: {error})\n")


if __name__ == "__main__":
    main()
