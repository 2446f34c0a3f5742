"""Build the servers that are absent from the cache: under a lock, moved into place in one step."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.stack.bound import bound_command
from tools.stack.cache import build_lock, cache_folder
from tools.stack.errors import BuildError
from tools.stack.golang import find_go, go_environment
from tools.stack.kafka import jars
from tools.stack.own_module import lay_out_module
from tools.stack.recipes import Method, Recipe, recipes

_UNFINISHED = "building-"
_GO_CACHES = "go-caches"


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where one recipe is built: the scratch folder, the tool and its environment, and the log of all commands."""

    folder: Path
    tool: Path
    """The program `go`, or `mvn`."""
    environment: dict[str, str]
    log: Path

    def run(self, command: Sequence[str], doing: str) -> None:
        """Run `command` in the scratch folder, its output to the log; raises BuildError that names the log."""
        with self.log.open("a", encoding="utf-8") as log:
            print("$", *command, file=log, flush=True)
            ended = subprocess.run(
                bound_command(list(command)),
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if ended.returncode != 0:
            raise BuildError(f"{doing} failed (exit {ended.returncode}); the full log: {self.log}")


def build(parts: Iterable[str]) -> dict[str, Path]:
    """Return the folder of each part's binaries, after building what is absent.

    Raises BuildError, with the path of the full log, and ToolMissingError.
    """
    cache = cache_folder()
    wanted = {part: recipes()[part] for part in parts}
    if any(not _is_built(cache, recipe) for recipe in wanted.values()):
        with build_lock(cache):
            _build_absent(cache, wanted.values())
    return {part: cache / recipe.key / "bin" for part, recipe in wanted.items()}


def _is_built(cache: Path, recipe: Recipe) -> bool:
    return (cache / recipe.key).is_dir()


def _build_absent(cache: Path, wanted: Collection[Recipe]) -> None:
    """Build under the lock: whatever another builder finished while we waited is skipped."""
    absent = [recipe for recipe in wanted if not _is_built(cache, recipe)]
    if not absent:
        return
    for left_behind in cache.glob(_UNFINISHED + "*"):
        shutil.rmtree(left_behind)
    tools = {method: _tool(method, cache) for method in dict.fromkeys(recipe.method for recipe in absent)}
    print(f"building {', '.join(recipe.part for recipe in absent)}; later runs reuse it", flush=True)
    for recipe in absent:
        _build_timed(cache, recipe, *tools[recipe.method])
    shutil.rmtree(cache / _GO_CACHES, ignore_errors=True)  # gigabytes; kept after a failure, for the next try


def _tool(method: Method, cache: Path) -> tuple[Path, dict[str, str]]:
    """Return the program of a method and its environment; raises ToolMissingError."""
    if method is Method.MAVEN:
        return jars.find_maven(), dict(os.environ)
    go = find_go(cache)
    return go.program, go_environment(go, cache / _GO_CACHES)


def _build_timed(cache: Path, recipe: Recipe, tool: Path, environment: dict[str, str]) -> None:
    print(f"  {recipe.part} {recipe.version}: building, about {recipe.minutes:g} min on two cores", flush=True)
    began = time.monotonic()
    log = cache / "logs" / f"{recipe.key}.log"
    log.parent.mkdir(exist_ok=True)
    log.write_text("", encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=cache, ignore_cleanup_errors=True) as scratch:
        place = Workplace(Path(scratch), tool, environment | {"GOTMPDIR": scratch}, log)
        finished = place.folder / "finished"
        (finished / "bin").mkdir(parents=True)
        _METHODS[recipe.method](recipe, place, finished / "bin")
        finished.rename(cache / recipe.key)
    seconds = round(time.monotonic() - began)
    print(f"  {recipe.part} {recipe.version}: built in {seconds // 60} min {seconds % 60:02} s", flush=True)


def _install(recipe: Recipe, place: Workplace, target: Path) -> None:
    """Let Go install the module's own programs into `target`."""
    packages = [f"{recipe.module}/{package}".rstrip("/") for package in recipe.packages]
    command = [str(place.tool), "install", "-tags", ",".join(recipe.tags), "-ldflags", recipe.ldflags]
    command += [f"{package}@{recipe.module_version}" for package in packages]
    into_target = Workplace(place.folder, place.tool, place.environment | {"GOBIN": str(target)}, place.log)
    into_target.run(command, f"{recipe.part}: go install")


def _build_own_module(recipe: Recipe, place: Workplace, target: Path) -> None:
    """Compile the server out of a module of our own."""
    lay_out_module(place.folder, recipe, place.tool, place.environment)
    for package, binary in zip(recipe.packages, recipe.binaries, strict=True):
        command = [str(place.tool), "build", "-tags", ",".join(recipe.tags), "-ldflags", recipe.ldflags]
        command += ["-o", str(target / binary), f"{recipe.module}/{package}"]
        place.run(command, f"{recipe.part}: go build")


def _build_collector(recipe: Recipe, place: Workplace, target: Path) -> None:
    """Install the Collector's builder, then let it make the binary that the manifest, the recipe's input, describes."""
    _install(recipe, place, place.folder)
    manifest = place.folder / "manifest.yaml"
    manifest.write_text(recipe.inputs, encoding="utf-8")
    place.run([str(place.folder / "builder"), "--config", str(manifest)], f"{recipe.part}: the Collector's builder")
    for binary in recipe.binaries:
        (place.folder / "_build" / binary).rename(target / binary)


def _fetch_jars(recipe: Recipe, place: Workplace, target: Path) -> None:
    """Have Maven fetch the jars, and lay the server's commands out beside them."""
    jars.lay_out(recipe.version, place.tool, place.folder, target, place.run)


_METHODS: dict[Method, Callable[[Recipe, Workplace, Path], None]] = {
    Method.INSTALL: _install,
    Method.OWN_MODULE: _build_own_module,
    Method.BUILDER: _build_collector,
    Method.MAVEN: _fetch_jars,
}
