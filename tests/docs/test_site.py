"""The documentation as a site: built strictly, whole, and from nothing outside."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tools.chromium import chromium
from tools.docs import site, translate

pytestmark = pytest.mark.once

needs_chromium = pytest.mark.skipif(
    chromium() is None and os.environ.get("CI") != "true", reason="no Chromium is installed here"
)

_LOADED = re.compile(r"<(?:script|img|iframe|source)[^>]+src=[\"']?([^\"' >]+)|<link[^>]+href=[\"']?([^\"' >]+)")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    assert site.build_site(folder) == 0
    return folder


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that asks nobody for anything, and in which nothing fails."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    told: list[str] = []
    opened.on("pageerror", lambda error: told.append(str(error)))
    opened.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else told.append(asked.url))
    opened.on("requestfailed", lambda asked: told.append(asked.url))
    yield opened
    context.close()
    assert told == []


def test_no_page_loads_anything_from_elsewhere(built: Path):
    for page in built.rglob("*.html"):
        for script, link in _LOADED.findall(page.read_text(encoding="utf-8")):
            assert not (script or link).startswith(("http:", "https:", "//")), f"{page.name}: {script or link}"


def test_every_page_is_there_and_none_is_half_translated(built: Path):
    pages = {page.relative_to(built).as_posix() for page in built.rglob("*.html")}
    assert {"index.html", "start.html", "how-to.html", "api.html", "CONTRIBUTING.html", "collector/index.html"} <= pages
    for name in pages:
        text = (built / name).read_text(encoding="utf-8")
        assert "<!-- include" not in text, name
        assert "<p>```" not in text, name
        assert ":::" not in re.sub(r"<(pre|code)\b.*?</\1>", "", text, flags=re.DOTALL), name


@needs_chromium
def test_the_first_page_says_what_it_is_before_one_scrolls(built: Path, page: Page):
    page.goto((built / "index.html").as_uri())
    expect(page.get_by_text("RuntimeContext").first).to_be_in_viewport()
    expect(page.get_by_text("make demo").first).to_be_in_viewport()
    expect(page.locator("article img").first).to_be_in_viewport()


@needs_chromium
def test_the_search_works_in_a_site_that_was_opened_as_files(built: Path, page: Page):
    page.goto((built / "index.html").as_uri())
    page.locator("input[name=query]").click()
    page.keyboard.type("SYNAPSE_OTEL_JOURNAL_BUDGET", delay=5)
    expect(page.locator(".md-search-result__item").first).to_contain_text("Settings", timeout=30_000)


@needs_chromium
@pytest.mark.parametrize("name", ["index", "mapping", "comparison", "commands"])
def test_no_page_is_wider_than_a_phone(built: Path, page: Page, name: str):
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto((built / f"{name}.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read(built: Path, page: Page, scheme: Literal["light", "dark"]):
    """By the rules of axe that are about our own colours, pictures and texts; the rest is the theme's."""
    page.emulate_media(color_scheme=scheme)
    for name in ("index", "how-to", "comparison"):
        page.goto((built / f"{name}.html").as_uri())
        found = Axe().run(page, options={"runOnly": ["color-contrast", "link-in-text-block", "image-alt", "list"]})
        assert found.violations_count == 0, found.generate_report()


def test_a_page_that_is_not_there_stops_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """MkDocs would warn of a broken link; a file that was never there must not become a page of its own either."""
    assert translate.translated("[x](nowhere.md)", "docs/start.md", "start.md") == "[x](nowhere.md)"
    assert translate.translated("[x](../src/nowhere.py)", "docs/start.md", "start.md") == "x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](settings.md#x)", "[a](settings.md#x)"),
        ("[a](../README.md)", "[a](index.md)"),
        ("[a](../collector/README.md#b)", "[a](collector/README.md#b)"),
        ("[a](../tests/sink.py)", "[a](tree/tests/sink.py.md)"),
        ("[`a`](../collector/alerts) b", "`a` b"),
        ("[a](https://example.com)", "[a](https://example.com)"),
        ("```python x.py\n[a](../README.md)\n```", '```python title="x.py"\n[a](../README.md)\n```'),
        ("```bash no-run\nmake\n```", "```bash\nmake\n```"),
        ("so:\n- one\n- two\n", "so:\n\n- one\n- two\n"),
        ("| `a \\| b` |\n", "| `a | b` |\n"),
        ("![p](images/page-list-light.png)", "![p](images/page-list-light.png#only-light)!["),
    ],
)
def test_markdown_of_github_becomes_the_sites(text: str, expected: str):
    assert translate.translated(text, "docs/start.md", "start.md").startswith(expected)


def test_a_section_is_included_by_its_heading():
    text = "# a\nfirst\n## b c\nsecond\n```\n# no heading\n```\n## d\n"
    assert translate.section(text, None) == "first"
    assert translate.section(text, "b-c") == "second\n```\n# no heading\n```"
    with pytest.raises(LookupError, match="#x"):
        translate.section(text, "x")
