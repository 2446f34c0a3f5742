"""Small parts of Markdown, and what the code says about itself."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Sequence
from itertools import pairwise
from types import ModuleType


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def code(text: object) -> str:
    """Return text as code, nothing for none."""
    return f"`{text}`" if str(text) else ""


def attribute_docs(of: type) -> dict[str, str]:
    """Return what a class says about its attributes: the texts that stand below them, on one line each."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(of))).body
    return _docs(tree.body if isinstance(tree, ast.ClassDef) else [])


def constant_docs(of: ModuleType) -> dict[str, str]:
    """Return what a module says about its constants."""
    return _docs(ast.parse(inspect.getsource(of)).body)


def _docs(body: Sequence[ast.stmt]) -> dict[str, str]:
    found: dict[str, str] = {}
    for before, after in pairwise(body):
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name) and isinstance(after, ast.Expr):
            said = after.value.value if isinstance(after.value, ast.Constant) else None
            if isinstance(said, str):
                found[before.target.id] = prose(said)
    return found


def prose(text: str) -> str:
    """Return a docstring as Markdown on one line."""
    return " ".join(text.split()).replace("``", "`")


def literal_block(module: ModuleType) -> str:
    """Return the literal block of a module's docstring, as code."""
    lines = inspect.getdoc(module).splitlines() if module.__doc__ else []  # type: ignore[union-attr]
    begin = next(at for at, line in enumerate(lines) if line.endswith("::")) + 1
    block: list[str] = []
    for line in lines[begin:]:
        if line and not line.startswith(" "):
            break
        block.append(line)
    return "```text\n" + textwrap.dedent("\n".join(block)).strip("\n") + "\n```"
