"""The repository's Markdown, which is GitHub's, as the site's: links, names of code blocks, lists, tables, pictures."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from tools.docs.api import for_site
from tools.docs.blocks import ROOT

BESIDE: Final = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "collector/README.md")
"""Pages of the site that are no files of docs/."""
TREE: Final = "tree"
"""Folder of the site's pages that show a file of the repository."""

_FENCE: Final = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<info>[^\n`]*)\n.*?^(?P=indent)(?P=fence)$", re.MULTILINE | re.DOTALL
)
_LINK: Final = re.compile(r"(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^)\s]+)\)")
_INCLUDE: Final = re.compile(r"^<!-- include: (?P<page>[^ #]+)(?:#(?P<anchor>[^ ]+))? -->$", re.MULTILINE)
_ITEM: Final = re.compile(r"(?:[-*]|\d+\.) ")
_CODE: Final = re.compile(r"(`+)(?:.*?)\1")
_PICTURE: Final = re.compile(r"-light(?P<type>\.\w+)$")


def translated(text: str, at: str, page: str) -> str:
    """Return the text of the file ``at`` (its path in the repository) for the page ``page`` (its path in the site)."""
    parts = []
    end = 0
    text = for_site(text)
    for match in _FENCE.finditer(text):
        parts += [_prose(text[end : match.start()], at, page), _block(match)]
        end = match.end()
    return "".join([*parts, _prose(text[end:], at, page)])


def linked_files(text: str, at: str) -> Iterator[str]:
    """Yield the paths in the repository of the files that a text links to and that are no pages of the site."""
    for match in _LINK.finditer(_FENCE.sub("", text)):
        path = _path(match["target"], at)
        if path and (place := place_of(path)) and place.startswith(f"{TREE}/"):
            yield path


def place_of(path: str) -> str | None:
    """Return where the site has a file of the repository; None for a folder."""
    if path == "README.md":
        return "index.md"
    if path in BESIDE:
        return path
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return f"{TREE}/{path}.md" if (ROOT / path).is_file() else None


def section(text: str, anchor: str | None) -> str:
    """Return what stands below a heading, up to the next one; without an anchor, below the first one.

    Raises:
        LookupError: there is no such heading.
    """
    found: list[str] | None = None
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("#") and not fenced:
            if found is not None:
                break
            if anchor in {None, anchor_of(line.lstrip("# "))}:
                found = []
        elif found is not None:
            found.append(line)
    if found is None:
        raise LookupError(f"no heading #{anchor}")
    return "\n".join(found).strip()


def anchor_of(heading: str) -> str:
    """Return the anchor of a heading, as GitHub and the site make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _block(match: re.Match[str]) -> str:
    """Return a block of code whose file's name is its title, and without what only tests are to know."""
    language, _, name = match["info"].strip().partition(" ")
    title = f' title="{name}"' if "." in name else ""
    return match[0].replace(match["info"], f"{language}{title}", 1)


def _prose(text: str, at: str, page: str) -> str:
    lines = [_row(line) if line.startswith("|") else line for line in _with_lists(text.splitlines(keepends=True))]
    linked = _LINK.sub(lambda match: _link(match, at, page), "".join(lines))
    return _INCLUDE.sub(lambda match: _included(match, page), linked)


def _with_lists(lines: list[str]) -> Iterator[str]:
    """Yield the lines, with an empty one where a list begins in the middle of a paragraph."""
    paragraph = False
    for line in lines:
        item = _ITEM.match(line)
        if item and paragraph:
            yield "\n"
        if item or not line.strip():
            paragraph = False
        elif line[0] not in " |#<":
            paragraph = True
        yield line


def _row(line: str) -> str:
    """Return a table's row whose code holds its pipes bare."""
    return _CODE.sub(lambda match: match[0].replace("\\|", "|"), line)


def _link(match: re.Match[str], at: str, page: str) -> str:
    target = match["target"]
    path = _path(target, at)
    if path is None:
        return match[0]
    place = place_of(path)
    if place is None:
        return match["text"]
    _, hash_, anchor = target.partition("#")
    link = posixpath.relpath(place, posixpath.dirname(page) or ".") + hash_ + anchor
    dark = _PICTURE.sub(r"-dark\g<type>", link)
    if match["image"] and dark != link:
        return f"![{match['text']}]({link}#only-light)![{match['text']}]({dark}#only-dark)"
    return f"{match['image']}[{match['text']}]({link})"


def _path(target: str, at: str) -> str | None:
    """Return the path in the repository that a link of the file ``at`` leads to; None if it leads elsewhere."""
    path = target.partition("#")[0]
    if not path or "://" in path or path.startswith("mailto:"):
        return None
    return posixpath.normpath((PurePosixPath(at).parent / path).as_posix())


def _included(match: re.Match[str], page: str) -> str:
    text = Path(ROOT / match["page"]).read_text(encoding="utf-8")
    return translated(section(text, match["anchor"]), match["page"], page)
