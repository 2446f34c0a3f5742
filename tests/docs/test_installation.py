"""How to install: from the checkout or a wheel file, as no package index has the package yet."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.examples import PAGES, TREE

pytestmark = pytest.mark.once

FROM_AN_INDEX = re.compile(r"\bpypi\b|\bpip install ['\"]?synapse[-_]otel", re.IGNORECASE)
ABOUT_RELEASES = {"docs/releasing.md", "docs/commands.md"}
"""What an installation will be once it is published; and extras, beside a package that is installed already."""
PLACE = "start.md#2-install-it"


def from_an_index(text: str) -> list[str]:
    return FROM_AN_INDEX.findall(text)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.relative_to(TREE).as_posix() not in ABOUT_RELEASES],
    ids=lambda page: page.relative_to(TREE).as_posix(),
)
def test_no_page_installs_from_an_index(page: Path) -> None:
    assert from_an_index(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("text", ["pip install synapse-otel", "pip install 'synapse-otel[gpu]'", "from PyPI"])
def test_an_index_is_found(text: str) -> None:
    assert from_an_index(text)


def test_one_page_says_how_and_the_others_lead_there() -> None:
    start = (TREE / "docs" / "start.md").read_text(encoding="utf-8")
    assert "pip install PATH/OF/THE/CHECKOUT" in start
    assert "wheel file" in start
    for name in ("README.md", "docs/synapse-sdk.md", "docs/coming-from.md", "docs/usage.md", "docs/transports.md"):
        assert PLACE in (TREE / name).read_text(encoding="utf-8"), name


def test_the_readme_is_short() -> None:
    assert len((TREE / "README.md").read_text(encoding="utf-8").splitlines()) <= 120
