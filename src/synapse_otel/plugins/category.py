"""The two spellings of one idea: ``category=``, the older, and ``step=``, the newer."""

from __future__ import annotations

from numbers import Real


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


def phase(step: str | None) -> str | None:
    """Return what `set_metrics` was given as ``step``, the name of a phase.

    Raises:
        TypeError: it is a number.
    """
    if isinstance(step, Real):
        instead = f"set_metrics({{..., 'step': {step}}})"
        msg = f"step is the category, the name of a phase, got the number {step}: write {instead}"
        raise TypeError(msg)
    return step
