"""A job that is ended from outside: by SIGTERM, or by an interpreter that ends inside its block."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from synapse_otel._fork import Part, at_fork


class Terminated(BaseException):
    """Stands in a job's record for what ended it from outside; never raised. Its name is the ``error.type``."""


class SIGTERM(Terminated):
    """The signal."""


class NotLeft(Terminated):
    """The interpreter ended without the job's block having been left."""


@contextmanager
def ended_by_sigterm(end: Callable[[Terminated], None], within_seconds: float) -> Iterator[None]:
    """End a job on SIGTERM, and then do what would have been done without us: the handler before, or to die of it.

    ``end`` ends the job, and may take so many seconds.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    if before is None:
        yield  # installed by something that is not Python: left alone
        return
    process = os.getpid()
    hosts = _hosts_handler.get(before, before)

    def terminate(number: int, frame: FrameType | None) -> None:
        if os.getpid() == process and not callable(hosts) and hosts != signal.SIG_IGN:
            # It dies of this signal, even if the end hangs because the signal came while a lock was held.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            _die_later(number, within_seconds + _GRACE_SECONDS)
            end(SIGTERM("terminated from outside"))
        if callable(before):
            before(number, frame)
        elif before != signal.SIG_IGN:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(number)

    _hosts_handler[terminate] = hosts
    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        del _hosts_handler[terminate]
        if signal.getsignal(signal.SIGTERM) is terminate:
            signal.signal(signal.SIGTERM, before)


_hosts_handler: Final[dict[Any, Any]] = {}
"""By handler of ours: the one of the host that was there before, also before that of a job around it."""


class _Forking(threading.local):
    """Gives the child of a fork the host's handling of SIGTERM: it runs no job of ours.

    A handler in Python is called between two instructions. A child that is terminated in the moment in which it begins
    to wait for a lock, as a pool's worker does after each piece of work, would never call it; and of a signal that
    comes before the first instruction, Python tells the child nothing. So the signal waits while the process forks.
    """

    mask: set[Any] | None = None
    """The signals that waited before, while one forks in this thread."""

    def before(self) -> None:
        if _hosts_handler:
            self.mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
            signal.pthread_sigmask(
                signal.SIG_BLOCK, {signal.SIGTERM}
            )  # which may run a handler of the host that raises

    def after(self) -> None:
        if self.mask is not None:
            mask, self.mask = self.mask, None
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def after_in_child(self) -> None:
        hosts = _hosts_handler.get(signal.getsignal(signal.SIGTERM))
        try:
            if hosts is not None:
                signal.signal(signal.SIGTERM, hosts)
        finally:
            self.after()


_forking: Final = _Forking()
at_fork(Part.TERMINATION, _forking.after_in_child, before=_forking.before, after_in_parent=_forking.after)


def _die_later(number: int, seconds: float) -> None:
    """Have this process die of a signal after a while, if it still lives then."""

    def die() -> None:
        time.sleep(seconds)
        os.kill(os.getpid(), number)

    threading.Thread(target=die, name="synapse-otel end", daemon=True).start()


_GRACE_SECONDS: Final = 0.5
