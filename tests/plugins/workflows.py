"""A workflow whose steps do what they are told."""

from __future__ import annotations

from dataclasses import dataclass, field

from synapse_otel.plugins.steps import BaseStep, BaseStepContext, StepRegistry, StepResult


@dataclass
class Shared(BaseStepContext):
    """What the steps of these tests share."""

    did: list[str] = field(default_factory=list)


class Step(BaseStep[Shared]):
    """A step that does what it is told."""

    def __init__(self, name, weight=1.0, *, work=None, skip=False, undo=None):
        self._name = name
        self._weight = weight
        self._work = work
        self._skip = skip
        self._undo = undo

    @property
    def name(self):
        return self._name

    @property
    def progress_weight(self):
        return self._weight

    def can_skip(self, context):
        return self._skip() if callable(self._skip) else self._skip

    def execute(self, context):
        context.did.append(self._name)
        result = self._work(context) if self._work else None
        return result or StepResult(data={"by": self._name})

    def rollback(self, context, result):
        context.did.append(f"undo {self._name}")
        if self._undo:
            self._undo(context, result)


def fail(error):
    def work(_context):
        raise error

    return work


def registry_of(*steps):
    registry = StepRegistry[Shared]()
    for step in steps:
        registry.register(step)
    return registry
