"""The words of the docstrings, the messages, the page and the documentation: OpenTelemetry's, and plain English.

Decisions and the changelog keep the words of their time.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.setup.check_tree import TREE, tree_files

pytestmark = pytest.mark.once

WORDS = (
    # pattern, what to write instead, an example
    (r"\blanes?\b", "signal pipeline", "one lane for each signal"),
    (r"\b(job|step)'s scope\b", "job span, step span", "in the step's scope"),
    (r"\bin hand\b", "claimed, current", "the journals in hand"),
    (r"\b(shelf|shelved)\b", "run index, run entry, run store", "the shelf of runs"),
    (r"\b(courtesy|sparing)\b", "throttle, rate", "its courtesy to the job"),
    (r"\binterposed\b", "stream patch", "an interposed stream"),
    (r"\bhears? of\b", "is notified of, gets", "it hears of each journal"),
    (r"\bfor want of memory\b", "out of memory", "killed for want of memory"),
    (r"\bset to nothing\b", "empty", "a variable that is set to nothing"),
    (r"\bcounts? as not set\b", "counts as unset", "it counts as not set"),
    (r"\bhas the word\b", "decides", "The driver has the word"),
    (r"\btests? that holds?\b", "the test that proves it", "and the test that holds it"),
    (r"\bfor a wish\b", "find a recipe", "have a recipe for a wish"),
    (r"\bgreatest\b", "max", "its least and greatest values"),
    (r"\bwhat it (used|said last)\b", "resource usage; last messages", "What it used"),
    (r"'\w+' fits \d", "matches", "'cancer' fits 7 runs"),
    (r"\bwhoever\b", "the one who does it, by name", "Have whoever shows it show it"),
    (r"\banew\b", "again, re-", "begun anew"),
    (r"\bfar side\b", "server, receiver", "the far side refuses"),
    (r"\btaken for dead\b", "presumed dead", "a process that was taken for dead"),
    (r"\bin good order\b", "cleanly, properly", "it ended in good order"),
    (r"\bsaid once\b", "reported once, logged once", "which is said once"),
    (r"\bsay whether\b", "return whether", "Say whether a lock is held"),
)


def read_by_users(file: Path) -> bool:
    place = file.relative_to(TREE).as_posix()
    is_code = place.startswith(("src/", "web/src/")) and file.suffix in {".py", ".ts", ".tsx", ".html"}
    is_page = place == "README.md" or (place.startswith("docs/") and file.parent.name != "adr" and file.suffix == ".md")
    return is_code or is_page


def old_words(text: str) -> list[str]:
    """Return the words to replace in a text, also where a line ends within them."""
    flat = re.sub(r"\s+", " ", text)
    return [f"{found.group()}: write {instead}" for pattern, instead, _ in WORDS for found in find(pattern, flat)]


def find(pattern: str, text: str) -> list[re.Match[str]]:
    return list(re.finditer(pattern, text, re.IGNORECASE))


def test_the_fields_words_are_used():
    found = {
        file.relative_to(TREE).as_posix(): old_words(file.read_text()) for file in tree_files() if read_by_users(file)
    }
    assert len(found) > 300
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize(("pattern", "instead", "example"), WORDS)
def test_an_old_word_is_found(pattern, instead, example):
    assert find(pattern, example)
    assert not find(pattern, instead), "what is written instead is allowed"
