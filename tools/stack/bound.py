"""Start a command that ends when the process that asked for it ends, however that happens.

Used as a program: `python bound.py PARENT_PID COMMAND ARGUMENT...`. It becomes COMMAND, with the kernel told to
kill it at the parent's death, so that neither a killed test run nor a killed terminal leaves a server behind.
Only Linux has this; elsewhere the command starts without it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def bound_command(command: list[str]) -> list[str]:
    """Return `command` in a form that ends with the calling process.

    The kernel watches the thread that starts the child: start it from one that lives as long as it should.
    """
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def main() -> None:
    """Become the command in the arguments, bound to the parent."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # it died before the kernel was told
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
