"""What MkDocs calls while it builds the site: pages from outside of docs/, and Markdown as the site wants it."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tools.docs.blocks import ROOT
from tools.docs.translate import BESIDE, TREE, linked_files, place_of, translated

_LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".js": "javascript", ".toml": "toml", ".sh": "bash"}
_BOOSTS = {"settings.md": 4, "commands.md": 3, "how-to.md": 3, "start.md": 2, "mapping.md": 2, "api.md": 2}
"""What the search shows first: where a name or a wish has its place, before where it is only used."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand elsewhere in the repository, and one for each file that a page links to."""
    for path in BESIDE:
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    linked: dict[str, None] = {}
    for file in files.documentation_pages():
        linked |= dict.fromkeys(linked_files(file.content_string, _path_of(file)))
    for path in linked:
        place = place_of(path)
        if place:
            files.append(File.generated(config, place, content=_shown(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - MkDocs's
    """Return a page's Markdown as the site wants it."""
    if page.file.src_uri.startswith(f"{TREE}/"):
        return markdown
    page.meta.setdefault("search", {})["boost"] = _BOOSTS.get(page.file.src_uri, _boost(page.file.src_uri))
    return translated(markdown, _path_of(page.file), page.file.src_uri)


def _boost(page: str) -> float:
    return 0.3 if page.startswith("adr/") or page in {"CHANGELOG.md", "CONTRIBUTING.md"} else 1


def _path_of(file: File) -> str:
    return file.src_uri if file.src_uri in BESIDE else f"docs/{file.src_uri}"


def _shown(path: str) -> str:
    """Return a page that shows a file of the repository, which the search leaves out."""
    text = (ROOT / path).read_text(encoding="utf-8")
    language = _LANGUAGES.get(Path(path).suffix, "text")
    return f"---\nsearch:\n  exclude: true\nhide: [toc]\n---\n# `{path}`\n\n``````{language}\n{text}``````\n"
