"""SecMI: the error of one deterministic step up and down again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from bench.api import Attack, FloatArray, Pairs, Target
from bench.models.diffusion import ddim_step

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class SecMI(Attack):
    """t-error of the step-wise comparison, the statistic of SecMI.

    Duan et al., "Are Diffusion Models Vulnerable to Membership Inference Attacks?", ICML 2023
    (arXiv 2302.01316), Eqs. 8-10: from z_0 deterministic DDIM inversion in steps of k up to t, one
    step further to t + k, and back:

        s = - mean (phi(phi(z_t; t -> t+k); t+k -> t) - z_t)^2

    Grey-box, t/k + 2 queries (12), deterministic, no auxiliary data but for the threshold. The
    released code for DDPM stops one step early (t = 90, 11 queries), that for latent diffusion
    compares at t = 140; `t` takes either.
    """

    name: ClassVar[str] = "secmi"
    paper: ClassVar[str] = "Duan et al., ICML 2023, arXiv 2302.01316"

    presets: ClassVar = {"ldm_code": {"t": 140}, "ddpm_code": {"t": 90}}

    t: int = 100
    k: int = 10

    def __post_init__(self) -> None:
        if self.k < 1 or self.t < 1 or self.t % self.k:
            raise ValueError(f"t ({self.t}) must be a positive multiple of k ({self.k})")

    @property
    def queries(self) -> int:
        return self.t // self.k + 2

    def features(self, target: Target, pairs: Pairs) -> FloatArray:
        maps = [self._error(target, part) for part in target.batches(pairs)]
        return -np.concatenate([(error**2).mean(axis=1) for error in maps])[:, None]

    def _error(self, target: Target, pairs: Pairs) -> FloatArray:
        """What is left after the step up and down, shape (n, c * h * w)."""
        z, text = target.latents(pairs).double(), target.text(pairs.captions)
        for r in range(0, self.t, self.k):
            z = self._step(target, z, r, r + self.k, text)
        above = self._step(target, z, self.t, self.t + self.k, text)
        back = self._step(target, above, self.t + self.k, self.t, text)
        return np.asarray((back - z).flatten(1).cpu().numpy(), dtype=np.float64)

    def _step(self, target: Target, z: Tensor, start: int, end: int, text: Tensor) -> Tensor:
        # Double between the forwards: the error is a thousandth of z.
        predicted = target.predict(z.float(), start, text).double()
        return ddim_step(z, predicted, target.alpha_bar(start), target.alpha_bar(end))


@dataclass
class SecMINNs(SecMI):
    """SecMI with a classifier on the map of absolute errors instead of their mean square.

    Duan et al., ICML 2023 (arXiv 2302.01316), section 3.3: a ResNet-18 that regresses membership
    (mean squared error, SGD, learning rate 1e-3, momentum 0.9, weight decay 5e-4, 15 epochs, batch
    128). The paper trains it on a fifth of the target's own members; here it learns from the shadow
    alone. Called a member above 0.5.
    """

    name: ClassVar[str] = "secmi_nns"
    needs: ClassVar[frozenset[str]] = frozenset({"caption", "shadow"})

    epochs: int = 15
    channels: int = 4
    """Channels of the latent, to read the map as a picture."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs < 1 or self.channels < 1:
            raise ValueError(f"epochs ({self.epochs}) and channels ({self.channels}) count from 1")

    @property
    def threshold(self) -> float:
        return 0.5

    def features(self, target: Target, pairs: Pairs) -> FloatArray:
        maps = [self._error(target, part) for part in target.batches(pairs)]
        return np.abs(np.concatenate(maps))

    def fit(self, features: FloatArray, is_member: NDArray[np.bool_]) -> Self:
        from bench.learning import ResNet18

        self._network = ResNet18(self.channels, self.epochs, batch=128, rate=1e-3, momentum=0.9)
        self._network.fit(features, is_member)
        return self

    def score(self, features: FloatArray) -> FloatArray:
        return self._network.predict(features)
