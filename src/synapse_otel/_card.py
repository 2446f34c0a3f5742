"""A job or run as a small piece of static HTML, for notebooks: it needs no JavaScript."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import NamedTuple


class Bar(NamedTuple):
    """The progress of a category."""

    name: str
    ratio: float
    """Share done, 0 to 1."""
    text: str = ""
    """What is known beyond the share."""


def card(title: str, facts: Mapping[str, str], bars: Iterable[Bar], values: Mapping[str, str]) -> str:
    """Return HTML with a title, facts by name (empty ones are left out), bars of progress, and values by name.

    Every text is escaped.
    """
    rows = [_row(name, escape(text)) for name, text in facts.items() if text]
    rows += [_row(bar.name, _bar(bar)) for bar in bars]
    rows += [_row(name, f"<code>{escape(text)}</code>") for name, text in values.items()]
    return f"<div><strong>{escape(title)}</strong><table><tbody>{''.join(rows)}</tbody></table></div>"


def _row(name: str, cell: str) -> str:
    return f'<tr><td style="text-align:left">{escape(name)}</td><td style="text-align:left">{cell}</td></tr>'


def _bar(bar: Bar) -> str:
    """Return a bar, never at 100 % before all is done."""
    percent = f"{int(bar.ratio * 100)}%"
    return (
        f'<progress max="1" value="{bar.ratio:.4f}"></progress> {escape(" ".join(filter(None, (percent, bar.text))))}'
    )
