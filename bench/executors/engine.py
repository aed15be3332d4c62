"""What an executor is: something that computes orders elsewhere and hands out futures of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from bench.errors import BenchError
    from bench.executors.needs import Needs

Ended = list["float | BenchError"]
"""Of each stage of an order: the seconds it took, or why it failed."""
Orders = Sequence[Mapping[str, Any]]
"""Stages that share a model, as `bench.executors.work.describe` writes them: plain JSON."""


class DiedError(Exception):
    """The worker of this one order is gone, and no other's; what it had stored is kept."""

    def __init__(self, code: int | None = None, said: str = "") -> None:
        super().__init__(said)
        self.code, self.said = code, said


class Engine(Protocol):
    """Computes orders; the future's exception is DiedError or BrokenProcessPool."""

    slots: int
    """How many orders it takes at once; the others wait here, where their turn may change."""

    def submit(self, root: Path, orders: Orders, needs: Needs) -> Future[Ended]:
        """Hands over an order, to be computed with this store."""
        ...

    def flush(self) -> None:
        """No more orders for the moment: what was handed over starts now at the latest."""
        ...

    def renew(self) -> int | None:
        """After BrokenProcessPool: other workers; how the one that broke it had ended."""
        ...

    def abandon(self) -> None:
        """Gives up what runs; its checkpoints stay."""
        ...

    def end(self) -> None:
        """There is nothing left to do."""
        ...
