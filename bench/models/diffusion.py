"""The algebra that every attack stands on: noising, and predictions read as noise.

The schedule is always the one of the model's own scheduler configuration; rebuilding it with a
`linspace` of betas is a published error (see Kong et al. 2024's released code).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def add_noise(clean: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """z_t = sqrt(abar_t) z_0 + sqrt(1 - abar_t) eps; Ho et al. 2020, Eq. 4. `alpha_bar` is (n,)."""
    a = alpha_bar.view(-1, *[1] * (clean.dim() - 1))
    return a.sqrt() * clean + (1 - a).sqrt() * noise


def ddim_step(noisy: Tensor, predicted: Tensor, alpha_bar: float, alpha_bar_next: float) -> Tensor:
    """Deterministic DDIM transition, up or down the schedule; Song et al. 2021, Eq. 12, sigma 0.

    phi(z; s -> r) = sqrt(abar_r) z0(z) + sqrt(1 - abar_r) eps with
    z0(z) = (z - sqrt(1 - abar_s) eps) / sqrt(abar_s) and eps the noise predicted at (z, s).
    """
    clean = (noisy - math.sqrt(1 - alpha_bar) * predicted) / math.sqrt(alpha_bar)
    return math.sqrt(alpha_bar_next) * clean + math.sqrt(1 - alpha_bar_next) * predicted


def as_noise(prediction: Tensor, noisy: Tensor, alpha_bar: Tensor, prediction_type: str) -> Tensor:
    """eps_theta from the network's output; for v-prediction eps = sqrt(abar) v + sqrt(1-abar) z_t.

    Salimans and Ho 2022, appendix D. Raises ValueError for a prediction type it does not know.
    """
    if prediction_type == "epsilon":
        return prediction
    if prediction_type == "v_prediction":
        a = alpha_bar.view(-1, *[1] * (noisy.dim() - 1))
        return a.sqrt() * prediction + (1 - a).sqrt() * noisy
    raise ValueError(f"prediction type '{prediction_type}' is neither epsilon nor v_prediction")


def training_target(
    clean: Tensor, noise: Tensor, alpha_bar: Tensor, prediction_type: str
) -> Tensor:
    """What the network is trained to put out: eps, or v = sqrt(abar) eps - sqrt(1-abar) z_0."""
    if prediction_type == "epsilon":
        return noise
    if prediction_type == "v_prediction":
        a = alpha_bar.view(-1, *[1] * (clean.dim() - 1))
        return a.sqrt() * noise - (1 - a).sqrt() * clean
    raise ValueError(f"prediction type '{prediction_type}' is neither epsilon nor v_prediction")
