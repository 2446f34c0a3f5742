"""Two releases of this package, each really installed, in an environment of its own beside the tests' libraries."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.version import Version
from uv import find_uv_bin

from synapse_otel import __version__
from tests.upgrades.make import RELEASES, TREE

SUFFIX: Final = ".tar.xz"
LOADED: Final = "TEST_LOADED"
"""Variable: the file to which each process of a release writes at its end which package it had loaded."""
_TELL: Final = f"""
import atexit, json, os, sys

def tell():
    own = [module for name, module in sys.modules.items() if name.partition(".")[0] == "synapse_otel"]
    if own:
        version = sys.modules["synapse_otel._version"].__version__
        with open(os.environ["{LOADED}"], "a") as file:
            print(json.dumps([os.getpid(), version, [module.__file__ for module in own]]), file=file)

if "{LOADED}" in os.environ:
    atexit.register(tell)
"""


@dataclass(frozen=True)
class Release:
    """A release that is installed."""

    name: str
    version: str
    environment: Path

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python"

    @property
    def command(self) -> Path:
        return self.environment / "bin" / "synapse-otel"

    @property
    def packages(self) -> Path:
        """The folder that holds its package, and no library."""
        base = {"base": str(self.environment), "platbase": str(self.environment)}
        return Path(sysconfig.get_path("purelib", scheme="venv", vars=base))


def kept_releases() -> list[Path]:
    """Return the archives of releases, the oldest first."""
    return sorted(RELEASES.glob(f"*{SUFFIX}"), key=lambda path: Version(version_of(path)))


def version_of(archive: Path) -> str:
    return archive.name.removesuffix(SUFFIX)


def older_release() -> Path:
    """Return the newest archive of another release than this one; before there is one, this one's."""
    kept = kept_releases()
    return next((path for path in reversed(kept) if version_of(path) != __version__), kept[-1])


def install_kept(archive: Path, place: Path) -> Release:
    """Install a release from its archive."""
    version = version_of(archive)
    wheel = place / f"synapse_otel-{version}-py3-none-any.whl"
    with tarfile.open(archive) as kept, zipfile.ZipFile(wheel, "w") as files:
        for member in kept.getmembers():
            content = kept.extractfile(member)
            assert content is not None
            files.writestr(member.name, content.read())
    return _installed("old", version, wheel, place)


def install_tree(place: Path) -> Release:
    """Install a wheel of this tree, as a user gets it: with the compiled module where there is a compiler."""
    _uv("build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", place, TREE)
    (wheel,) = place.glob("*.whl")
    return _installed("new", __version__, wheel, place)


def _installed(name: str, version: str, wheel: Path, place: Path) -> Release:
    release = Release(name, version, place / "environment")
    _uv("venv", "--no-project", "--python", sys.executable, release.environment)
    _uv("pip", "install", "--offline", "--no-deps", "--python", release.python, wheel)
    # The tests' libraries are found behind it. Lines of a .pth file are folders whose own .pth files are not read, so
    # this tree, which is installed there too, stays out.
    libraries = dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
    (release.packages / "tell_loaded.py").write_text(_TELL, encoding="utf-8")
    (release.packages / "tell_loaded.pth").write_text("import tell_loaded\n", encoding="utf-8")
    (release.packages / "libraries.pth").write_text("".join(f"{path}\n" for path in libraries), encoding="utf-8")
    return release


def _uv(*arguments: str | Path) -> None:
    ended = subprocess.run([find_uv_bin(), *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"uv {arguments} ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}"
