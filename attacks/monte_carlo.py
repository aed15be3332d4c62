"""Monte Carlo estimate of the conditional loss: CLiD's own baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bench.api import Attack, FloatArray, Pairs, Target


@dataclass
class MonteCarlo(Attack):
    """Mean denoising loss over three timesteps, each with its own noise.

    The "M.C." of Zhai et al., NeurIPS 2024 (arXiv 2405.14800), Eq. 15: s = -1/M sum_m
    l(t_m, eps_m, c); the term L of CLiD alone. Not the Monte Carlo attack of Hilprecht et al.
    2019. Grey-box, M queries, no auxiliary data but for the threshold.
    """

    name: ClassVar[str] = "mc"
    paper: ClassVar[str] = "Zhai et al., NeurIPS 2024, arXiv 2405.14800"

    timesteps: tuple[int, ...] = (440, 450, 460)

    def __post_init__(self) -> None:
        if not self.timesteps or len(set(self.timesteps)) < len(self.timesteps):
            raise ValueError(f"timesteps must be some, each once, not {self.timesteps}")

    @property
    def queries(self) -> int:
        return len(self.timesteps)

    def features(self, target: Target, pairs: Pairs) -> FloatArray:
        losses = target.losses(pairs, self.timesteps)
        return -np.asarray(losses.mean(axis=1, keepdims=True))
