"""PFAMI: members sit on a peak of the likelihood, so that a small change raises their loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from bench.api import Attack, FloatArray, Pairs, ReferenceAttack, Target

TIMES = list(range(0, 500, 50))
"""Timesteps of the network form."""
CROPS = [round(float(share), 6) for share in np.linspace(0.95, 0.70, 10)]
"""Crops of the network form."""


@dataclass
class Pfami(ReferenceAttack):
    """Probabilistic fluctuation under a centre crop, the metric form.

    Fu et al., "A Probabilistic Fluctuation based Membership Inference Attack for Generative
    Models" (arXiv 2308.12143): with x' the centre crop by `crop` scaled back to full size,

        F(t) = l(t, eps, c; x') - l(t, eps, c; x)      mode difference; `ratio` divides by l(x)
        s    = mean_t F(t)  [- the same of the reference]

    Grey-box, 20 queries. The defaults are those of Zhai et al.'s run (t = 1, 51, ..., 451, crop
    0.825, difference, no reference); the authors' are `preset=paper`. Both
    released codes draw fresh noise for the crop, which drowns the difference; here both losses meet
    the same, another one at each timestep (Zhai et al. share one over the ten).
    """

    name: ClassVar[str] = "pfami"
    paper: ClassVar[str] = "Fu et al., 2023, arXiv 2308.12143"

    presets: ClassVar = {
        "paper": {"mode": "ratio", "crop": 0.811, "first": 0, "reference": "base"},
        "paper_uncalibrated": {"mode": "ratio", "crop": 0.811, "first": 0},
    }

    reference: str = "none"
    mode: Literal["difference", "ratio"] = "difference"
    crop: float = 0.825
    first: int = 1
    step: int = 50
    count: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.crop < 1:
            raise ValueError(f"crop is a share of the side, between 0 and 1, not {self.crop}")
        if self.step < 1 or self.count < 1:
            raise ValueError(f"step ({self.step}) and count ({self.count}) must be at least 1")

    @property
    def queries(self) -> int:
        return 2 * self.count

    @property
    def timesteps(self) -> list[int]:
        return [self.first + i * self.step for i in range(self.count)]

    def observe(self, reference: Target, pairs: Pairs) -> FloatArray:
        return self.features(reference, pairs)

    def features(self, target: Target, pairs: Pairs) -> FloatArray:
        """The fluctuation at every timestep, shape (n, count)."""
        return fluctuation(target, pairs, self.timesteps, self.crop, self.mode)

    def compare(self, target: Target, pairs: Pairs, observed: NDArray[np.float64]) -> FloatArray:
        return self.features(target, pairs) - observed

    def score(self, features: FloatArray) -> FloatArray:
        return np.asarray(features.mean(axis=1))


@dataclass
class PfamiNN(Attack):
    """Probabilistic fluctuation, the network form: a ResNet-18 on the map (strength x timestep).

    Fu et al. (arXiv 2308.12143): ratios at ten timesteps and ten crops from 0.95 to 0.70; Adam,
    learning rate 0.01, full batch. Learns from the shadow alone. Grey-box, 10 + 100 queries.
    Called a member above 0.5.
    """

    name: ClassVar[str] = "pfami_nn"
    needs: ClassVar[frozenset[str]] = frozenset({"caption", "shadow"})
    paper: ClassVar[str] = "Fu et al., 2023, arXiv 2308.12143"

    epochs: int = 110

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, not {self.epochs}")

    @property
    def queries(self) -> int:
        return len(TIMES) * (1 + len(CROPS))

    @property
    def threshold(self) -> float:
        return 0.5

    def features(self, target: Target, pairs: Pairs) -> FloatArray:
        """The map of ratios by rows of one crop, shape (n, 100)."""
        rows = [fluctuation(target, pairs, TIMES, crop, "ratio") for crop in CROPS]
        return np.concatenate(rows, axis=1)

    def fit(self, features: FloatArray, is_member: NDArray[np.bool_]) -> Self:
        from bench.learning import ResNet18

        self._network = ResNet18(1, self.epochs, batch=len(features), rate=1e-2)
        self._network.fit(features, is_member)
        return self

    def score(self, features: FloatArray) -> FloatArray:
        return self._network.predict(features)


def fluctuation(
    target: Target, pairs: Pairs, timesteps: list[int], crop: float, mode: str
) -> FloatArray:
    """How much the crop raises the loss at every timestep, shape (n, len(timesteps))."""
    plain = target.losses(pairs, timesteps)
    rise = target.losses(pairs, timesteps, crop=crop) - plain
    return rise / plain if mode == "ratio" else rise
