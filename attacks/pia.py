"""PIA and PIAN: the error of a prediction from the model's own initial noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from bench.api import Attack, FloatArray, Pairs, Target

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Pia(Attack):
    """Proximal initialisation: is the noise predicted on the clean latent predicted again?

    Kong et al., "An Efficient Membership Inference Attack for the Diffusion Model by Proximal
    Initialization", ICLR 2024 (arXiv 2305.18355), Eq. 9:

        eps_0 = eps_theta(z_0, 0, c),   z_t = sqrt(abar_t) z_0 + sqrt(1 - abar_t) eps_0
        s     = - || eps_0 - eps_theta(z_t, t, c) ||_p

    Grey-box, two queries, deterministic, no auxiliary data but for the threshold. The defaults
    are the paper's for Stable Diffusion (appendix A.2); its released script rebuilds the schedule
    with linear betas and leaves classifier-free guidance on, which is not followed.
    """

    name: ClassVar[str] = "pia"
    paper: ClassVar[str] = "Kong et al., ICLR 2024, arXiv 2305.18355"

    t: int = 500
    p: float = 4.0

    def __post_init__(self) -> None:
        if not self.p > 0:
            raise ValueError(f"p, the order of the norm, must be above 0, not {self.p}")

    @property
    def queries(self) -> int:
        return 2

    def features(self, target: Target, pairs: Pairs) -> FloatArray:
        errors = [self._error(target, part) for part in target.batches(pairs)]
        return -np.concatenate(errors)[:, None]

    def _error(self, target: Target, pairs: Pairs) -> FloatArray:
        clean, text = target.latents(pairs), target.text(pairs.captions)
        first = self._initial(target.predict(clean, 0, text))
        a = target.alpha_bar(self.t)
        again = target.predict(a**0.5 * clean + (1 - a) ** 0.5 * first, self.t, text)
        error = (first - again).double().flatten(1).norm(p=self.p, dim=1)
        return np.asarray(error.cpu().numpy(), dtype=np.float64)

    def _initial(self, predicted: Tensor) -> Tensor:
        return predicted


@dataclass
class Pian(Pia):
    """PIA with the initial noise scaled to a unit Gaussian's mean absolute value.

    Kong et al., ICLR 2024 (arXiv 2305.18355), Eq. 10: eps_0 <- eps_0 sqrt(2/pi) / mean |eps_0|. The
    paper prints sqrt(pi/2); sqrt(2/pi), its code's factor, is E|N(0, 1)|.
    """

    name: ClassVar[str] = "pian"

    def _initial(self, predicted: Tensor) -> Tensor:
        size = predicted.abs().flatten(1).mean(dim=1).view(-1, 1, 1, 1)
        return predicted * math.sqrt(2 / math.pi) / size
