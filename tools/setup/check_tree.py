"""Find lines that would only be right on one machine: addresses of package registries, absolute paths of a user.

Whoever installs has a mirror or an index of their own; the tree names none.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TREE = Path(__file__).parents[2]

# Written in pieces, so that this file passes its own check.
_REGISTRIES = (
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("proxy", "golang", "org"),
    ("sum", "golang", "org"),
    ("registry", "npmjs", "org"),
    ("deb", "debian", "org"),
    ("security", "debian", "org"),
    ("archive", "ubuntu", "com"),
    ("crates", "io"),
    ("repo", "maven", "apache", "org"),
)
_HOMES = ("root", "work", "Users")
_FORBIDDEN = re.compile(
    "|".join(
        [
            *(rf"\b{re.escape('.'.join(parts))}\b" for parts in _REGISTRIES),
            *(rf"(?<![\w.~$}}*-])/{home}/" for home in _HOMES),
        ]
    )
)


def tree_files() -> list[Path]:
    """Files that are tracked, or would be by `git add`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=TREE,
        capture_output=True,
        check=True,
        text=True,
    )
    return [TREE / name for name in listed.stdout.split("\0") if name and (TREE / name).is_file()]


def findings(file: Path) -> Iterator[str]:
    """Yield `path:line: what was found` for each forbidden text in `file`; a file that is no text has none."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if found := _FORBIDDEN.search(line):
            yield f"{file.relative_to(TREE)}:{number}: {found.group()}"


def main() -> int:
    """Print every finding; the exit code tells whether there was one."""
    if not (TREE / ".git").exists():
        print("check_tree: no git checkout, so no list of tracked files: left out")
        return 0
    found = [finding for file in tree_files() for finding in findings(file)]
    print(*found, sep="\n", end="\n" if found else "")
    print(f"check_tree: {len(found)} registry addresses or absolute paths of one machine")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
