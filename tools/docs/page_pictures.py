"""Pictures of `synapse-otel view`: real runs of the demo, on the page in a real Chromium, and in a terminal."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page

from tools.chromium import opened
from tools.docs.blocks import ROOT
from tools.docs.demo_runs import environment, live_run, make_runs, served
from tools.docs.terminal_pictures import write_terminal_picture

PICTURES: Final = ROOT / "docs" / "images"
SIZES: Final = {"desktop": (1280, 1080), "phone": (390, 780), "list": (1280, 460)}
SCHEMES: Final = ("light", "dark")
_DRAWN_MS: Final = 1000
"""Until the curves are drawn, when their samples have come."""
_GOING_MS: Final = 2000
"""Until the live run has come some way."""
_HOME: Final = "~/.local/state"
_WITHOUT_PATHS: Final = """([temporary, home]) => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    const found = texts.currentNode.data.indexOf(temporary)
    if (found < 0) continue
    const rest = texts.currentNode.data.slice(found + temporary.length + 1)
    texts.currentNode.data = texts.currentNode.data.slice(0, found) + home + rest.slice(rest.indexOf("/"))
  }
}"""
"""Shows a folder of this machine that ends after a temporary name as one of a user's."""


def write_page_pictures(folder: Path = PICTURES) -> list[Path]:
    """Make runs, look at them, and return the pictures that were written.

    Raises:
        RuntimeError: there is no Chromium, the demo does not do what it is asked to, or a path of this machine shows.
    """
    with tempfile.TemporaryDirectory() as state:
        journals = Path(state) / "synapse-otel"
        make_runs(journals)
        return pictures_of(journals, folder)


def pictures_of(journals: Path, folder: Path) -> list[Path]:
    """Write the pictures of these runs, and of one more that is live meanwhile."""
    written = [write_terminal_picture(folder / "terminal-run.svg", environment(journals), "enter", "2", lines=22)]
    with served(journals) as address, opened() as browser:
        written += [_run(browser, address, folder, scheme, size) for scheme in SCHEMES for size in ("desktop", "phone")]
        with live_run(journals):
            written += [_list(browser, address, folder, scheme) for scheme in SCHEMES]
            written.append(write_terminal_picture(folder / "terminal-list.svg", environment(journals), lines=12))
    return written


def _run(browser: Browser, address: str, folder: Path, scheme: str, size: str) -> Path:
    """Take the picture of the run that went well."""
    with _page(browser, scheme, size) as page:
        page.goto(address)
        page.locator(".run-row[data-run]").filter(has_text="done").first.get_by_role("link").first.click()
        page.locator(".waterfall li").first.wait_for()
        page.wait_for_timeout(_DRAWN_MS)
        return _written(page, folder / f"page-run-{size}-{scheme}.png")


def _list(browser: Browser, address: str, folder: Path, scheme: str) -> Path:
    with _page(browser, scheme, "list") as page:
        page.goto(address)
        page.locator(".run-row[data-run]").filter(has_text="live").first.wait_for()
        page.wait_for_timeout(_GOING_MS)
        return _written(page, folder / f"page-list-{scheme}.png")


@contextmanager
def _page(browser: Browser, scheme: str, size: str) -> Iterator[Page]:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        timezone_id="UTC",
        reduced_motion="reduce",
    )
    try:
        yield context.new_page()
    finally:
        context.close()


def _written(page: Page, picture: Path) -> Path:
    page.evaluate(_WITHOUT_PATHS, [tempfile.gettempdir(), _HOME])
    if tempfile.gettempdir() in page.inner_text("body"):
        raise RuntimeError(f"{picture.name}: a path of this machine can be seen")
    picture.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=picture)
    return picture
