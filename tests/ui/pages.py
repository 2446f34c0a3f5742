"""A page in a real Chromium that is watched for errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page


@contextmanager
def clean_page(browser: Browser, *, expected: str | None = None) -> Iterator[Page]:
    """Open a page on which no error happens, and none of whose texts is run; AssertionError at its end otherwise.

    Args:
        browser: a running one; the page has a context of its own.
        expected: a text in what the console says that is no error here.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(10_000)
    told: list[str] = []

    def listen(kind: str, text: str) -> None:
        if kind == "error" and (expected is None or expected not in text):
            told.append(text)

    opened.on("pageerror", lambda error: told.append(str(error)))
    opened.on("console", lambda said: listen(said.type, said.text))
    opened.on("dialog", lambda dialog: told.append(dialog.message))
    yield opened
    assert told == []
    assert opened.evaluate("window.hacked") is None
    context.close()
