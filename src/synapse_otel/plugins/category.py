"""The two spellings of one idea: ``category=``, the older, and ``step=``, the newer."""

from __future__ import annotations


def one_category(category: str | None, step: str | None) -> str | None:
    """Return the category, whichever way it was spelled.

    Raises:
        TypeError: both were given and differ.
    """
    if step is None or category == step:
        return category
    if category is None:
        return step
    msg = f"category={category!r} and step={step!r} mean the same thing and differ: pass one of them"
    raise TypeError(msg)
