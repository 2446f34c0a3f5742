"""A Docker engine of our own, in namespaces of its own: started, asked by its own client, ended with all it runs."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from tools.containers.errors import CommandError, NoEngineError
from tools.containers.systems import TREE, UNSHARE, Systems, cache_folder, unpacked_systems
from tools.stack.process import Process

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
COMMAND_SECONDS: Final = 600.0
_NUMBERS: Final = range(1, 9)
"""As many engines run on a machine at a time; each number has networks, control groups and images of its own."""
_KEPT_BUILDS: Final = "4GB"
"""Of what builds may leave for the next ones."""
_POLL_SECONDS: Final = 0.05
_PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Engine:
    """A running engine: `with Engine() as engine: engine.docker("ps")`.

    Images and what builds have cached stay for the next engine; containers, volumes and networks end with this one.
    """

    def __init__(self) -> None:
        """Prepare, start nothing."""
        self._closing = ExitStack()
        self._process: Process | None = None
        self.init = 0
        """Id of the first process in its namespaces, as we see it."""
        self.number = 0
        self.systems = Systems(Path(), Path())
        self.folder = Path()
        """Holds the log, the client's settings, and `bin`."""

    def __enter__(self) -> Self:
        """Unpack what is absent, start the engine and wait until it answers.

        Raises NoEngineError where no engine can run.
        """
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what it runs, and stop it."""
        self.stop()

    @property
    def bin(self) -> Path:
        """A folder whose `docker` is the client of this engine: for the front of PATH."""
        return self.folder / "bin"

    def start(self) -> None:
        """Start the engine; raises NoEngineError with its last line where it does not answer in time."""
        self.systems = unpacked_systems()
        self.folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="synapse-otel-engine-")))
        data = self._take_number()
        seen = (TREE, Path.home(), cache_folder(), Path(tempfile.gettempdir()))
        script = (
            "sh",
            str(TREE / "tools" / "setup" / "engine.sh"),
            str(self.systems.engine),
            str(data),
            str(self.number),
        )
        self._process = Process((*UNSHARE, *script, *map(str, seen)), {}, self.folder / "engine.log")
        self._wait_ready()

    def stop(self) -> None:
        """Remove containers, volumes and networks, end the engine; what it keeps for the next one is whole then."""
        try:
            self.clear()
            self.docker("image", "prune", "--force")
            self.docker("builder", "prune", "--force", "--keep-storage", _KEPT_BUILDS)
            os.kill(self.init, signal.SIGTERM)
            self._running.wait(STOP_SECONDS)
            self._whole.touch()
        finally:
            self.kill()

    def kill(self) -> None:
        """End the engine and everything that it runs at once."""
        if self._process is not None:
            self._process.signal(signal.SIGKILL)
            self._process.wait(STOP_SECONDS)
            self._process = None
            self.init = 0
        self._closing.close()

    def clear(self) -> None:
        """Remove every container, volume and network."""
        if containers := self.docker("ps", "--all", "--quiet").split():
            self.docker("rm", "--force", "--volumes", *containers)
        if volumes := self.docker("volume", "ls", "--quiet").split():  # `prune` leaves those with options of their own
            self.docker("volume", "rm", "--force", *volumes)
        self.docker("network", "prune", "--force")

    def docker(self, *arguments: str, environment: Mapping[str, str] | None = None, folder: Path = TREE) -> str:
        """Run the client in `folder` and return what it printed; raises CommandError with what it said."""
        return self._run(str(self.bin / "docker"), *arguments, environment=environment, folder=folder)

    def shell(self, script: str, environment: Mapping[str, str] | None = None) -> str:
        """Run a shell script in the tree, whose `docker` is the client of this engine; raises CommandError."""
        path = os.pathsep.join((str(self.bin), os.environ.get("PATH", os.defpath)))
        return self._run("bash", "-euo", "pipefail", "-c", script, environment={**(environment or {}), "PATH": path})

    def inside(self, *command: str) -> str:
        """Run a command in the engine's namespaces, where the processes of containers have the ids that it tells."""
        return self._run(*self._entering(), "env", _PATH, *command)

    def kill_process(self, pid: int) -> None:
        """Kill a process of a container, by the id that the engine tells."""
        self.inside("sh", "-c", 'kill -KILL "$0"', str(pid))

    def _run(self, *command: str, environment: Mapping[str, str] | None = None, folder: Path = TREE) -> str:
        ended = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if ended.returncode:
            said = (ended.stderr.strip() or ended.stdout.strip())[-3000:]
            raise CommandError(f"`{' '.join(command[-6:])}` ended with {ended.returncode}:\n{said}")
        return ended.stdout

    @property
    def _running(self) -> Process:
        if self._process is None:
            raise NoEngineError("the engine does not run")
        return self._process

    def _entering(self) -> tuple[str, ...]:
        return ("nsenter", "--target", str(self.init), "--mount", "--pid", "--root")

    def _take_number(self) -> Path:
        """Take the first number that no other engine has; return the folder of its data."""
        for number in _NUMBERS:
            place = cache_folder() / "containers" / str(number)
            place.mkdir(parents=True, exist_ok=True)
            if _is_locked(self._closing.enter_context((place / "lock").open("w"))):
                self._whole = place / "whole"
                self._drop_unless_whole(place / "data")
                self.number = number
                return place / "data"
        raise NoEngineError(f"{len(_NUMBERS)} engines of other runs are on this machine already")

    def _drop_unless_whole(self, data: Path) -> None:
        """Have an engine that was killed leave nothing: what it ran would start again with the next one."""
        if not self._whole.exists() and data.exists():
            shutil.rmtree(data)
        self._whole.unlink(missing_ok=True)
        data.mkdir(exist_ok=True)

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._running.exit_status is not None or time.monotonic() > deadline:
                raise NoEngineError(f"a Docker engine does not start here: {self._running.last_lines(1)}")
            time.sleep(_POLL_SECONDS)

    def _answers(self) -> bool:
        """Say whether the engine answers; its socket is in a file system that is there when its script has made it."""
        self.init = self.init or _child_of(self._running.pid)
        if not self.init or not Path(f"/proc/{self.init}/root/run/docker.sock").exists():
            return False
        self._write_client()
        try:
            self.docker("version")
        except CommandError:  # it does not listen yet
            return False
        return True

    def _write_client(self) -> None:
        """Write the `docker` that runs the client in the engine's namespaces, where the caller is."""
        self.bin.mkdir(exist_ok=True)
        settings = f"{_PATH} DOCKER_CONFIG='{self.folder}' DOCKER_HOST=unix:///run/docker.sock"
        script = f'#!/bin/sh\nexec {" ".join(self._entering())} env --chdir="$PWD" {settings} docker "$@"\n'
        (self.bin / "docker").write_text(script, encoding="utf-8")
        (self.bin / "docker").chmod(0o755)


def _is_locked(file: IO[str]) -> bool:
    """Lock a file for as long as it is open; say whether nobody else has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _child_of(pid: int) -> int:
    """Return the id of a process's first child; 0 while there is none."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    return int(children[0]) if children else 0
