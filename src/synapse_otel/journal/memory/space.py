"""The one place that hands out room in a mapped segment: compiled where there is that, else in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_otel._compiled import MODE, native
from synapse_otel.journal.memory.python_space import PythonSpace

if TYPE_CHECKING or native is None:
    Space = PythonSpace
elif MODE == "compare":
    from synapse_otel.journal.memory.compared import ComparedSpace as Space
else:
    Space = native.Space
