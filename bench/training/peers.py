"""Processes that train one model together: which of them computes what.

Every process prepares the whole micro-batch, and whatever a defense makes of it: draws are keyed by
pair and visit, so all of them prepare the same, and a defense that mixes pairs or filters by what a
micro-batch holds does what it would do in one process. Shared out is what takes the time: the
forward and backward of the U-Net, and the encoding of squares that nobody has encoded before. What
one process computes for its rows all are told, so losses, weights of losses and notes are the same
everywhere; gradients are averaged by torch's DistributedDataParallel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.composition import Composition
from bench.defending import Defense
from bench.errors import UsageError
from bench.training.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Peers:
    """This process among those that train together; by default it is alone."""

    rank: int = 0
    count: int = 1

    @classmethod
    def here(cls) -> Peers:
        """As torch.distributed was set up in this process, if it was."""
        import torch.distributed as group

        if not group.is_initialized():
            return cls()
        return cls(group.get_rank(), group.get_world_size())

    @property
    def first(self) -> bool:
        """Whether this is the one that writes files."""
        return self.rank == 0

    def rows(self, n: int) -> list[int]:
        """Which of n rows are this process's own; one that comes too late computes the first."""
        return list(range(n))[self.rank :: self.count] or [0]

    def whole(self, own: Tensor, n: int) -> Tensor:
        """All n rows, of which this process computed `own`; only those carry a gradient."""
        import torch

        rows = self.rows(n)
        told = torch.zeros((n, *own.shape[1:]), dtype=own.dtype, device=own.device)
        if self.rank < n:
            told[rows] = own.detach()
        torch.distributed.all_reduce(told)
        told[rows] = own
        return told

    def computed(self, n: int, compute: Callable[[list[int]], Tensor]) -> Tensor:
        """`compute` of all n rows, each process for its own."""
        if self.count == 1:
            return compute(list(range(n)))
        return self.whole(compute(self.rows(n)), n)

    def part(self, losses: Tensor) -> Tensor:
        """What this process learns from: the mean over processes is the mean of all losses."""
        if self.count == 1:
            return losses.mean()
        n = len(losses)
        share: Tensor = losses[self.rows(n)].sum() * (self.count / n if self.rank < n else 0.0)
        return share

    def agreed(self, verdict: bool) -> bool:
        """What the first process found, which a last bit might have turned elsewhere."""
        if self.count == 1:
            return verdict
        import torch

        told: list[Any] = [verdict]
        torch.distributed.broadcast_object_list(told)
        return bool(told[0])

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            import torch

            torch.distributed.barrier()


class SharedForward:
    """The U-Net's output for a whole micro-batch, each process for its own rows."""

    def __init__(self, unet: Any, peers: Peers) -> None:
        self._unet, self._peers = unet, peers

    def __call__(self, noisy: Tensor, times: Tensor, text: Tensor) -> Tensor:
        """(n, c, h, w), with a gradient in this process's own rows."""

        def own(rows: list[int]) -> Tensor:
            output: Tensor = self._unet(
                noisy[rows], times[rows], encoder_hidden_states=text[rows]
            ).sample
            return output.float()

        return self._peers.computed(len(noisy), own)


def check_shareable(recipe: Recipe, defense: Composition, processes: int) -> None:
    """UsageError if so many processes cannot train this together and get what one would get."""
    if processes == 1:
        return
    asked = f"--processes {processes}"
    if recipe.sample_clip is not None:
        raise UsageError(
            f"{asked}: DP-SGD clips each pair by itself and draws its noise once a step; leave "
            "--processes out"
        )
    if processes > recipe.batch:
        raise UsageError(
            f"{asked}: recipe {recipe.name} has micro-batches of {recipe.batch}, which at most "
            f"{recipe.batch} processes can share; say --processes {recipe.batch} or take a recipe "
            "with larger ones, e.g. --recipe modern"
        )
    for part in defense.parts:
        if part.level == "procedure" and type(part).weigh is not Defense.weigh:
            raise UsageError(
                f"{asked}: {part.name} weighs losses by a forward of its own, whose gradient "
                "processes would not share; leave --processes out"
            )
