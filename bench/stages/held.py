"""What stages that follow each other in one process share: a model asked, a classifier fitted.

The executor hands stages with the same `shared_by` to one worker in one go; each result is the
same whether it was shared or not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_held: dict[Any, Any] = {}


def held(key: Any, make: Callable[[], T]) -> T:
    """What was made for this key before; if nothing, it takes the place of what is held."""
    if key not in _held:
        forget()
        _held[key] = make()
    found: T = _held[key]
    return found


def forget() -> None:
    """Lets go of what is held."""
    _held.clear()
