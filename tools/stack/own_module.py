"""A Go module of our own around a server whose go.mod has `replace` lines, which `go install` refuses."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

from tools.stack.errors import BuildError
from tools.stack.recipes import Recipe

_DROPPED = re.compile(
    r"""
    ^(module|toolchain|ignore)\b   # ours has its own name; the toolchain is the one at hand
    | =>\s+\.{1,2}/                # points into the server's repository: the published module serves
    """,
    re.VERBOSE,
)


def derive_go_mod(server_go_mod: str, recipe: Recipe) -> str:
    """Return the go.mod of a module that builds `recipe` with the same requirements as the server's own."""
    kept = [line for line in server_go_mod.splitlines() if not _DROPPED.search(line)]
    head = [f"module synapse-otel/stack/{recipe.part}", "", f"require {recipe.module} {recipe.module_version}"]
    return "\n".join([*head, *kept]) + "\n"


def lay_out_module(folder: Path, recipe: Recipe, go: Path, environment: dict[str, str]) -> None:
    """Write go.mod and go.sum into `folder`, derived from the server's own, which is downloaded.

    The server's go.sum comes along because some of its checksums cannot be looked up any more.
    """
    command = [str(go), "mod", "download", "-json", f"{recipe.module}@{recipe.module_version}"]
    answer = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise BuildError(f"cannot download {recipe.module} {recipe.module_version}: {_reason(answer)}")
    source = Path(json.loads(answer.stdout)["Dir"])
    go_mod = derive_go_mod((source / "go.mod").read_text(encoding="utf-8"), recipe)
    (folder / "go.mod").write_text(go_mod, encoding="utf-8")
    shutil.copyfile(source / "go.sum", folder / "go.sum")


def _reason(answer: subprocess.CompletedProcess[str]) -> str:
    """Return what `go mod download -json` says went wrong: in its JSON, or as text."""
    try:
        return str(json.loads(answer.stdout)["Error"])
    except (json.JSONDecodeError, KeyError):
        return answer.stderr.strip()
