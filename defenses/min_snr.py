"""`min_snr`: a loss weighting that is often taken along, to see what it does to attacks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from bench.api import Batch, Defense, Training
from bench.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class MinSnr(Defense):
    """Min-SNR weights: visits at little noise count less. No defense, but it moves the losses.

    Hang et al., ICCV 2023 (arXiv 2303.09556), gamma = 5: with snr = abar / (1 - abar) the weight is
    min(snr, gamma) / snr for predicted noise and min(snr, gamma) / (snr + 1) for predicted
    velocity, as `--snr_gamma` of the diffusers script. On Stable Diffusion's schedule the snr falls
    below 5 at t = 147, so the timesteps about 450 that CLiD looks at keep their weight and gain
    against the rest. gamma = inf is the unweighted loss, of velocity models too.
    """

    name: ClassVar[str] = "min_snr"
    level: ClassVar = "loss"
    paper: ClassVar[str] = "Hang et al., ICCV 2023, arXiv 2303.09556"

    gamma: float = 5.0

    def __post_init__(self) -> None:
        """Refuse a bound that nothing reaches."""
        if not self.gamma > 0.0:
            raise UsageError(f"defense min_snr: gamma={self.gamma} must be greater than 0")

    def weigh(self, errors: Tensor, batch: Batch, training: Training) -> Tensor | None:
        if math.isinf(self.gamma):
            return None
        alphas = training.alphas(batch.times)
        snr = alphas / (1 - alphas)
        bounded = (self.gamma / snr).clamp(max=1.0)  # min(snr, gamma) / snr, for snr = 0 too
        velocity = training.prediction_type == "v_prediction"
        return bounded * alphas if velocity else bounded
