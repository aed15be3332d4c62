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
    "Result",
    "Target",
    "__version__",
    "run",
]

if TYPE_CHECKING:
    from bench.api import Attack, Context, Defense, Pairs, ReferenceAttack, Target
    from bench.errors import BenchError
    from bench.interface import Result, run


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    from importlib import import_module

    homes = {"BenchError": "bench.errors", "Result": "bench.interface", "run": "bench.interface"}
    return getattr(import_module(homes.get(name, "bench.api")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
