"""Attacks that ask how far training moved the model towards a pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.api import FloatArray, Pairs, ReferenceAttack, Target

if TYPE_CHECKING:
    from torch import Tensor

TIMES = {3: (440, 450, 460), 11: tuple(range(400, 501, 10))}


@dataclass
class RefLoss(ReferenceAttack):
    """Log ratio of a reference's loss to the target's, at the same noise.

    Difficulty calibration (Watson et al., "On the Importance of Difficulty Calibration in
    Membership Inference Attacks", ICLR 2022, arXiv 2111.08440, Eq. 2) carried over to the
    denoising loss: with eps_R and eps_T the predictions of reference and target,

        s = mean_t log( ||eps - eps_R||^2 / ||eps - eps_T||^2 )

    Grey-box; one query a timestep on the target (3, or 11 with `count=11`) and as many on the
    attacker's own reference.
    """

    name: ClassVar[str] = "ref_loss"
    needs: ClassVar[frozenset[str]] = frozenset({"caption", "shadow", "base"})
    paper: ClassVar[str] = "after Watson et al., ICLR 2022, arXiv 2111.08440"

    presets: ClassVar = {"11": {"count": 11}}

    count: int = 3

    def __post_init__(self) -> None:
        if self.count not in TIMES:
            raise ValueError(f"count is 3 or 11 timesteps, not {self.count}")
        if not self.reads_reference:
            raise ValueError("there is nothing to say without a reference; shadow, base or a path")

    @property
    def queries(self) -> int:
        return self.count

    def observe(self, reference: Target, pairs: Pairs) -> NDArray[Any]:
        """The predicted noise, float32 (n, count, c, h, w)."""
        predicted = reference.predictions(pairs, TIMES[self.count])
        return np.asarray(predicted.numpy(), dtype=np.float32)

    def compare(self, target: Target, pairs: Pairs, observed: NDArray[Any]) -> FloatArray:
        import torch

        mine = target.predictions(pairs, TIMES[self.count])
        theirs = torch.from_numpy(observed)
        columns = []
        for i, t in enumerate(TIMES[self.count]):
            noise = target.noise(pairs, t).cpu()
            columns.append(self._statistic(_flat(noise), _flat(mine[:, i]), _flat(theirs[:, i])))
        return np.asarray(torch.stack(columns, dim=1).numpy(), dtype=np.float64)

    def score(self, features: FloatArray) -> FloatArray:
        return np.asarray(features.mean(axis=1))

    def _statistic(self, noise: Tensor, mine: Tensor, theirs: Tensor) -> Tensor:
        """One value a pair from rows of noise, target's and reference's prediction."""
        return (_squared(noise - theirs) / _squared(noise - mine)).log()


@dataclass
class RefAlign(RefLoss):
    """Cosine between what training changed in a prediction and what the reference lacked.

    Ours: with d = eps_T - eps_R and r = eps - eps_R, s = mean_t <d, r> / (||d|| ||r||): how far
    training moved this pair's prediction towards its own noise. ||r||^2 - ||eps - eps_T||^2 =
    2 <d, r> - ||d||^2, so that it reads what `ref_loss` reads, without the size of the update and
    the pair's difficulty. 0 where target and reference agree.
    """

    name: ClassVar[str] = "ref_align"
    paper: ClassVar[str] = "this suite"

    def _statistic(self, noise: Tensor, mine: Tensor, theirs: Tensor) -> Tensor:
        moved, lacked = mine - theirs, noise - theirs
        sizes = (_squared(moved) * _squared(lacked)).sqrt()
        # 0 / 0 where nothing moved: the cosine of no movement is 0.
        return (moved * lacked).sum(dim=1) / sizes.clamp(min=1e-300)


def _flat(rows: Tensor) -> Tensor:
    return rows.double().flatten(1)


def _squared(rows: Tensor) -> Tensor:
    return rows.square().sum(dim=1)
