"""Attributes of the SDK's classes that are replaced, each remembered, so that all can be put back as they were."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

Make = Callable[[Any], Any]
"""Takes what stood in the class (a function, a ``classmethod``) and returns what shall stand there instead."""


class Patches:
    """What was replaced so far, and what there was not to replace."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        """Names of the attributes that this version of the SDK does not have."""
        self._replaced: list[tuple[Any, str, Any]] = []
        self._added: list[tuple[type, str]] = []
        self._others: list[Callable[[], object]] = []

    def replace(self, owner: type, name: str, make: Make, *, optional: bool = False) -> None:
        """Replace an attribute that stands in a class itself.

        Args:
            owner: the class.
            name: of the attribute.
            make: makes the new one of the old one.
            optional: not every tested version has it, so that it is not missed.
        """
        original = vars(owner).get(name)
        if original is None:
            if not optional:
                self.missing.append(f"{owner.__module__}.{owner.__qualname__}.{name}")
            return
        self._replaced.append((owner, name, original))
        setattr(owner, name, make(original))

    def replace_function(self, module: ModuleType, name: str, make: Make) -> None:
        """Replace a function of a module; who has imported it by name keeps the old one."""
        original = vars(module).get(name)
        if original is None:
            self.missing.append(f"{module.__name__}.{name}")
            return
        self._replaced.append((module, name, original))
        setattr(module, name, make(original))

    def add(self, owner: type, name: str, value: Any) -> None:
        """Add an attribute that the class does not have itself; one that it has stays."""
        if name not in vars(owner):
            self._added.append((owner, name))
            setattr(owner, name, value)

    def has_replaced(self, owner: type, name: str) -> bool:
        """Return whether an attribute of a class has been replaced."""
        return any(known is owner and known_name == name for known, known_name, _original in self._replaced)

    def on_undo(self, function: Callable[[], object]) -> None:
        """Have a function called when everything is put back."""
        self._others.append(function)

    def undo(self) -> None:
        """Put back what was replaced, the last first, and take away what was added."""
        while self._replaced:
            owner, name, original = self._replaced.pop()
            setattr(owner, name, original)
        while self._added:
            owner, name = self._added.pop()
            delattr(owner, name)
        while self._others:
            self._others.pop()()
        self.missing.clear()
