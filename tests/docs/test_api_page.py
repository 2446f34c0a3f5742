"""docs/api.md can be read on a forge, which knows no directives, and has an example of every name."""

from __future__ import annotations

import ast
import re

import pytest

from tests.docs.examples import TREE, blocks_of
from tools.docs import api

pytestmark = pytest.mark.once

PAGE = (TREE / "docs" / "api.md").read_text(encoding="utf-8")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SECTION = re.compile(r"^## `(?P<module>[\w.]+)`\n(?P<text>.*?)(?=^## )", re.MULTILINE | re.DOTALL)
SECTIONS = {match["module"]: match["text"] for match in _SECTION.finditer(PAGE)}
NAMES = [(module, home) for module, homes in api.own_names().items() for home in homes]


def test_every_module_has_its_section_with_its_block() -> None:
    assert list(SECTIONS) == list(api.own_names())
    for block, module in zip(api.sections(), SECTIONS, strict=True):
        assert f"<!-- generated: {block} -->" in SECTIONS[module]


@pytest.mark.parametrize(("module", "home"), NAMES, ids=lambda value: str(value).rpartition(".")[2])
def test_a_forge_shows_what_a_name_is(module: str, home: str) -> None:
    """Its heading, an anchor for links, and a text; the directive stands in a comment."""
    shown = _COMMENT.sub("", SECTIONS[module])
    name = home.rpartition(".")[2]
    _before, heading, after = shown.partition(f"### `{name}`\n")
    assert heading
    part = after.partition("\n### ")[0]
    assert f'<a id="{home}"></a>' in part
    assert re.search(r"^[A-Z].+\.$", part, re.MULTILINE), "what its docstring begins with"
    assert ":::" not in shown


@pytest.mark.parametrize(("module", "home"), NAMES, ids=lambda value: str(value).rpartition(".")[2])
def test_every_name_has_an_example_in_its_section(module: str, home: str) -> None:
    examples = [block.text for block in blocks_of(SECTIONS[module]) if block.language == "python"]
    trees = [ast.parse(text) for text in examples]
    used = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert home.rpartition(".")[2] in used


def test_the_site_has_directives_instead() -> None:
    text = api.for_site(PAGE)
    assert re.findall(r"^::: (\S+)$", text, re.MULTILINE) == [home for _module, home in NAMES]
    assert "### `" not in text
    assert api.FORGE not in text
    assert "## `synapse_otel.read`" in text
    assert len(blocks_of(text)) < len(blocks_of(PAGE)) / 2


def test_long_signatures_have_a_line_for_each_parameter() -> None:
    def called(first: dict[str, int], *, second: tuple[str, ...] = (), third: str = "a long default") -> None: ...

    parts = ["first: dict[str, int],", "*,", "second: tuple[str, ...] = (),", "third: str = 'a long default',"]
    assert api.declared(called) == "\n".join(
        ["```py", "called(", *(f"    {part}" for part in parts), ") -> None", "```"]
    )
