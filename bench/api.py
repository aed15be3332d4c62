"""What a plugin author imports: `Attack`, `Defense`, and the types they are handed.

The smallest attack overrides `features`; the smallest defense overrides `prepare`. Parameters are
the typed fields of the dataclass, so `my_attack[t=300]` works without another line. Nothing heavy
is imported here; import torch inside the methods that need it, so that listing stays quick.
"""

from __future__ import annotations

from bench.attacking import Access, Attack, Condition, FloatArray, ReferenceAttack, Shadow, Target
from bench.data.pairs import Pair, Pairs
from bench.defending import Batch, Context, Defense, Training

__all__ = [
    "Access",
    "Attack",
    "Batch",
    "Condition",
    "Context",
    "Defense",
    "FloatArray",
    "Pair",
    "Pairs",
    "ReferenceAttack",
    "Shadow",
    "Target",
    "Training",
]
