"""Run proselint over the documentation, and over the docstrings and comments of the package; code is left out.

`[tool.proselint]` in `pyproject.toml` says what is allowed and which checks are off, and why.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

TREE = Path(__file__).parents[2]
_MARKDOWN_CODE = re.compile(r"^( *)```.*?^\1```|`+[^`\n]+`+|<!--.*?-->|\]\([^)]*\)", re.DOTALL | re.MULTILINE)
_FILLER = "·"


def prose_files() -> list[Path]:
    """Return the files to check; decisions and the changelog keep the words of their time."""
    pages = [TREE / "README.md", TREE / "CONTRIBUTING.md", TREE / "SECURITY.md", *(TREE / "docs").glob("*.md")]
    return sorted([*pages, *(TREE / "src").rglob("*.py")])


def prose_of(path: Path) -> str:
    """Return the text of a file, line by line, with a filler in place of code and numbers."""
    text = path.read_text()
    prose = "\n".join(_python_prose(text)) if path.suffix == ".py" else _MARKDOWN_CODE.sub(_filled, text)
    return re.sub(r"\d|^\s*$", _FILLER, prose, flags=re.MULTILINE)


def _filled(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", _FILLER, match.group())


def _python_prose(text: str) -> Iterator[str]:
    """Yield each line of a Python file; only docstrings and comments are left of it."""
    lines = text.splitlines()
    kept = dict(_comments(text))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            kept |= {number: lines[number - 1] for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    for number in range(1, len(lines) + 1):
        yield re.sub(r"`+[^`]+`+", _filled, kept.get(number, _FILLER).replace('"""', _FILLER))


def _comments(text: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def findings(files: Iterable[Path], allowed: Iterable[str], switches: dict[str, bool]) -> Iterator[str]:
    """Yield `path:line: check: message` for each of proselint's findings, but for those about an allowed phrase."""
    from proselint.checks import __register__
    from proselint.config import DEFAULT
    from proselint.registry import CheckRegistry
    from proselint.tools import LintFile

    CheckRegistry().register_many(__register__)
    checks = dict(sorted({**DEFAULT["checks"], **switches}.items(), key=lambda entry: -entry[0].count(".")))
    for path in files:
        name = str(path.relative_to(TREE))
        for found in LintFile(name, prose_of(path)).lint({"max_errors": 1000, "checks": checks}):
            result = found.check_result
            if not any(f"'{phrase}'" in result.message for phrase in allowed):
                yield f"{name}:{found.pos[0]}: {result.check_path}: {result.message}"


def main() -> int:
    """Print every finding; the exit code tells whether there was one."""
    if find_spec("proselint") is None:
        print("check_prose: proselint has no wheel for this machine, left out")
        return 0
    options = tomllib.loads((TREE / "pyproject.toml").read_text())["tool"]["proselint"]
    found = list(findings(prose_files(), options["allowed"], options["checks"]))
    print(*found, sep="\n", end="\n" if found else "")
    print(f"check_prose: {len(found)} findings of proselint")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
