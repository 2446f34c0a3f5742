"""A command as a child of this process: its signals, and its end."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NoReturn

from synapse_otel.cli.codes import NOT_FOUND, NOT_RUNNABLE, SIGNALLED
from synapse_otel.cli.run.stderr_tap import StderrTap
from synapse_otel.journal.folder import Exit

FORWARDED: Final = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
)
_FROM_THE_KEYBOARD: Final = frozenset({signal.SIGINT, signal.SIGQUIT})
_INIT: Final = 1
_NO_CORE: Final = 1
"""Bytes: too few for a core file, and a core handler program ignores this process (core(5))."""


class CommandError(Exception):
    """The command cannot be started."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Status:
    """How a command ended."""

    code: int | None
    """Exit status; None if a signal ended it."""
    signal: int = 0
    core: bool = False

    @classmethod
    def of(cls, status: int) -> Status:
        """Return the meaning of a status of ``waitpid``."""
        if os.WIFSIGNALED(status):
            return cls(None, os.WTERMSIG(status), os.WCOREDUMP(status))
        return cls(os.WEXITSTATUS(status))

    @property
    def signal_name(self) -> str:
        """A name such as ``SIGKILL``, or empty."""
        return signal_name(self.signal) if self.signal else ""

    def __str__(self) -> str:
        """Return how it ended, in few words."""
        return str(Exit(self.code, self.signal_name, self.core))


class Child:
    """A command that runs in our process group, so that the terminal and job control reach both processes.

    Signals are blocked here while it is alive, and read one by one. Signals sent only to us are passed on; the command
    has already received those of the terminal's keys.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], tap: StderrTap) -> None:
        """Start the command.

        Raises:
            CommandError: it cannot be started.
        """
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where our parent ignores it, a child's end would go unseen
        self._tap = tap
        ignored = {number for number in FORWARDED if signal.getsignal(number) == signal.SIG_IGN}
        self.heard = {*FORWARDED, signal.SIGCHLD} - ignored
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self.heard)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - what the user has asked for
                list(command),
                env=dict(environment),
                stderr=tap.end,
                close_fds=False,  # ours are not inherited, and what the caller has opened for it is its own
                preexec_fn=partial(signal.pthread_sigmask, signal.SIG_SETMASK, before),  # noqa: PLW1509 - no thread yet
            )
        except (OSError, ValueError) as error:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            raise _explained(command[0], error) from None
        self.pid = self._process.pid
        tap.start()

    def wait(self) -> Status:
        """Pass signals on until the command has ended, and return how."""
        while True:
            number, by_kernel = next_signal(self.heard)
            if number == signal.SIGCHLD:
                status = self._reap()
                if status is not None:
                    self._process.returncode = 0  # it is waited for
                    return Status.of(status)
                continue
            if number == signal.SIGWINCH:
                self._tap.resize()
            if not (by_kernel and self._got_it_too(number)):
                os.kill(self.pid, number)

    def _reap(self) -> int | None:
        """Reap ended children; return the command's status if it has ended."""
        everybody = os.getpid() == _INIT  # whose parent has ended is a child of the first process
        while True:
            try:
                pid, status = os.waitpid(-1 if everybody else self.pid, os.WNOHANG)
            except ChildProcessError:
                return None
            if pid in {0, self.pid}:
                return status if pid else None

    @staticmethod
    def _got_it_too(number: int) -> bool:
        """Return whether the kernel sent a signal to the whole process group, not only to this process."""
        if number == signal.SIGHUP:
            return os.getsid(0) != os.getpid()  # a terminal that hangs up tells the leader of its session alone
        return number in _FROM_THE_KEYBOARD


def next_signal(heard: set[signal.Signals]) -> tuple[int, bool]:
    """Wait for one of some blocked signals; return it, and whether it is the kernel's own and not another process's."""
    if hasattr(signal, "sigwaitinfo"):
        info = signal.sigwaitinfo(heard)
        return info.si_signo, info.si_code > 0
    number = signal.sigwait(heard)  # macOS does not tell who has sent it: keys do, where there are any
    return number, os.isatty(0) and number in _FROM_THE_KEYBOARD


def signal_name(number: int) -> str:
    """Return a signal's name: ``SIGKILL``, ``SIGRTMIN+1``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"


def end_like(status: Status) -> NoReturn:
    """End this process as the command has ended: with its exit status, or by the same signal, without a second core.

    The first process of a container cannot die of a signal that it sends to itself: it exits with 128 and the number.
    """
    if status.signal:
        resource.setrlimit(resource.RLIMIT_CORE, (_NO_CORE, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        if status.signal not in {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(status.signal, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {status.signal})
        os.kill(os.getpid(), status.signal)
    os._exit(SIGNALLED + status.signal if status.code is None else status.code)


def _explained(command: str, error: Exception) -> CommandError:
    if isinstance(error, FileNotFoundError):
        return CommandError(f"{command}: command not found", NOT_FOUND)
    reason = error.strerror if isinstance(error, OSError) else None
    return CommandError(f"{command}: {reason or error}", NOT_RUNNABLE)
