"""The wheel and the source archive, as they are released; and libraries that have no wheel for some Python."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

TREE = Path(__file__).parents[1]


def needs(library: str) -> pytest.MarkDecorator:
    """Return a mark that leaves a test out where a library is missing and pyproject.toml may have left it out."""
    missing = sys.version_info >= (3, 14) and not _is_installed(library)
    return pytest.mark.skipif(missing, reason="{} has no wheel for Python {}.{}".format(library, *sys.version_info))


def _is_installed(library: str) -> bool:
    try:
        distribution(library)  # a module of its name may be a folder of tests
    except PackageNotFoundError:
        return False
    return True


def run(*command: str | Path, cwd: Path = TREE, env: Mapping[str, str] | None = None, code: int = 0) -> str:
    """Return what a command prints, on both streams where it is to fail."""
    ended = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == code, f"{command} ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout + ended.stderr if code else ended.stdout


@dataclass(frozen=True)
class Built:
    """The files of a release."""

    wheel: Path
    source: Path

    def wheel_files(self) -> list[str]:
        with zipfile.ZipFile(self.wheel) as archive:
            return archive.namelist()

    def source_files(self) -> list[str]:
        """Return the names of the files, with the folder that holds them all."""
        with tarfile.open(self.source) as archive:
            return [member.name for member in archive.getmembers() if not member.isdir()]


def build(folder: Path, *arguments: str | Path, python: Path | str = sys.executable) -> str:
    """Build into a folder with what is installed in an environment, and return the command's output."""
    from uv import find_uv_bin  # where this file is for `needs` alone, there is no uv

    return run(find_uv_bin(), "build", "--no-build-isolation", "--python", python, "--out-dir", folder, *arguments)


def built_once(factory: pytest.TempPathFactory) -> Built:
    """Return the source archive of the tree and the wheel that is built of it, one for all files of tests."""
    folder = factory.getbasetemp() / "released"
    if not folder.exists():
        build(folder)
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Built(wheel, source)


def environment(folder: Path, python: Path | str = sys.executable) -> Path:
    """Return the interpreter of a new virtual environment."""
    from uv import find_uv_bin

    run(find_uv_bin(), "venv", "--quiet", "--python", python, folder)
    return folder / "bin" / "python"


def install(python: Path, *arguments: str | Path) -> None:
    """Install into the environment of an interpreter."""
    from uv import find_uv_bin

    run(find_uv_bin(), "pip", "install", "--quiet", "--python", python, *arguments)
