"""Reference benchmark for defenses against membership inference on text-to-image diffusion models.

Importing it loads nothing heavy and needs no network: the public names arrive on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "Attack",
    "BenchError",
    "Context",
    "Defense",
    "Pairs",
    "ReferenceAttack",
    "Target",
    "__version__",
]

if TYPE_CHECKING:
    from bench.api import Attack, Context, Defense, Pairs, ReferenceAttack, Target
    from bench.errors import BenchError


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    from importlib import import_module

    home = "bench.errors" if name == "BenchError" else "bench.api"
    return getattr(import_module(home), name)
