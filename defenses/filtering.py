"""Defenses `wen_filter` and `agc`: visits that look memorised do not count."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from bench.api import Batch, Defense, Training
from bench.errors import UsageError
from bench.models.diffusion import as_noise

if TYPE_CHECKING:
    from torch import Tensor

PUBLISHED_SIZE = 4 * 64 * 64
"""Numbers in a latent of Stable Diffusion at 512 pixels."""
DECAY = 0.8
TWO = "each makes up for what it filters as if nothing else did"


def mean_of_kept(kept: Tensor, notes: dict[str, Any]) -> Tensor:
    """Weights with which the mean loss of all is the mean loss of those kept; 0 where none is."""
    n, left = len(kept), int(kept.sum())
    for key, more in (("visits", n), ("kept", left), ("empty_batches", int(left == 0))):
        notes[key] = notes.get(key, 0) + more
    notes["kept_share"] = notes["kept"] / notes["visits"]
    return kept.float() * (n / max(left, 1))


@dataclass
class WenFilter(Defense):
    """Leaves out visits whose caption moves the predicted noise far: Wen et al.'s training filter.

    Wen et al., ICLR 2024 (arXiv 2407.21720): with m_i = || eps(z_t, t, c) - eps(z_t, t, "") ||_2
    over the latent, visits with m_i < tau are kept and the loss is the mean over those. tau = 2 is
    `hard_threshold` in the code (github.com/YuxinWenRick/diffusion_memorization), for latents of
    4 x 64 x 64; a norm grows with the root of the dimension, so for d numbers the threshold is
    tau sqrt(d / 16384). The conditional prediction is the one the loss is made of; the other costs
    one forward a visit.

    Where nothing of a micro-batch is kept, the published code skips the step. Here all have weight
    0, so momentum and weight decay go on and accumulations keep their length. m_i is nearly what
    CLiD measures. tau = inf keeps all and asks nothing.

    How far captions move a prediction depends on the model: before `mini-sd` is fine-tuned, 97 % of
    `tiles` lie above the published threshold. With `quantile` it is that quantile of m over the
    auxiliary pairs under the base instead (`preset=calibrated`: 0.95).
    """

    name: ClassVar[str] = "wen_filter"
    level: ClassVar = "loss"
    paper: ClassVar[str] = "Wen et al., ICLR 2024, arXiv 2407.21720"
    excludes: ClassVar[Mapping[str, str]] = {"agc": TWO}

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"calibrated": {"quantile": 0.95}}

    tau: float = 2.0
    quantile: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a threshold that keeps nothing."""
        if not self.tau > 0.0:
            raise UsageError(f"defense wen_filter: tau={self.tau} must be greater than 0")
        if not 0.0 <= self.quantile < 1.0:
            said = f"quantile={self.quantile} must be at least 0 and below 1"
            raise UsageError(f"defense wen_filter: {said}")
        self._threshold = self.tau

    def begin(self, training: Training) -> None:
        if not self.quantile:
            return
        import torch

        pairs, size = training.auxiliary, training.recipe.batch
        norms = []
        for start in range(0, len(pairs), size):
            batch = training.visits(pairs, 0, pairs.ids[start : start + size])
            told = training.predict(training.noisy(batch), batch.times, batch.text)
            norms.append(_moved(told, batch, training))
        self._threshold = float(torch.cat(norms).quantile(self.quantile))
        training.notes["threshold"] = self._threshold

    def weigh(self, errors: Tensor, batch: Batch, training: Training) -> Tensor | None:
        if math.isinf(self._threshold):
            return None
        size = PUBLISHED_SIZE if self.quantile else batch.clean[0].numel()
        limit = self._threshold * math.sqrt(size / PUBLISHED_SIZE)
        return mean_of_kept(_moved(batch.output, batch, training) < limit, training.notes)


def _moved(told: Tensor, batch: Batch, training: Training) -> Tensor:
    """How far captions move the predicted noise, (n,); `told` is the output under them."""
    noisy, alphas = training.noisy(batch), training.alphas(batch.times)
    untold = training.predict(noisy, batch.times, training.encode([""]).expand_as(batch.text))
    with_, without = (
        as_noise(output, noisy, alphas, training.prediction_type) for output in (told, untold)
    )
    norms: Tensor = (with_ - without).flatten(1).norm(dim=1)
    return norms


@dataclass
class AntiGradientControl(Defense):
    """Leaves out visits with a loss far below what is usual at their timestep.

    AGC of Liu et al., ECCV 2024 (arXiv 2407.15328), as in its code (github.com/liuxiao-guan/
    IET-AGC_SD): a visit is kept if loss_i mem_ratio >= avg[t_i], the loss is the mean over those
    kept, 0 if none is, and then for every visit avg[t_i] <- 0.8 avg[t_i] + 0.2 loss_i, from 0 on.
    mem_ratio is 1.25 there for Stable Diffusion, 2 for CIFAR-10; inf keeps all. Needs no forward,
    but where pairs are few a timestep comes rarely, and its average starts far too low.
    """

    name: ClassVar[str] = "agc"
    level: ClassVar = "loss"
    paper: ClassVar[str] = "Liu et al., ECCV 2024, arXiv 2407.15328"
    excludes: ClassVar[Mapping[str, str]] = {"wen_filter": TWO}

    mem_ratio: float = 1.25

    def __post_init__(self) -> None:
        """Refuse a ratio that keeps nothing."""
        if not self.mem_ratio > 0.0:
            raise UsageError(f"defense agc: mem_ratio={self.mem_ratio} must be greater than 0")
        self._usual: dict[int, float] = {}  # avg[t] of the timesteps met so far

    def weigh(self, errors: Tensor, batch: Batch, training: Training) -> Tensor | None:
        if math.isinf(self.mem_ratio):
            return None
        import torch

        times: list[int] = batch.times.tolist()
        losses: list[float] = errors.detach().flatten(1).mean(1).tolist()
        visits = list(zip(times, losses, strict=True))
        kept = [loss * self.mem_ratio >= self._usual.get(t, 0.0) for t, loss in visits]
        for t, loss in visits:
            self._usual[t] = DECAY * self._usual.get(t, 0.0) + (1 - DECAY) * loss
        return mean_of_kept(torch.tensor(kept, device=errors.device), training.notes)

    def state(self) -> dict[str, Tensor]:
        import torch

        times, usual = list(self._usual), list(self._usual.values())
        return {"times": torch.tensor(times), "usual": torch.tensor(usual, dtype=torch.float64)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        times, usual = state["times"].tolist(), state["usual"].tolist()
        self._usual = {int(t): value for t, value in zip(times, usual, strict=True)}
