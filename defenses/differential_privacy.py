"""Defenses `dp_sgd` and `dp_lora`: fine-tuning with differential privacy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from bench.api import Defense, Training
from bench.errors import UsageError

BATCH = "its loss of a pair depends on the others of the batch, so clipping bounds no influence"
UNCOUNTED = "it uses the pairs outside the noisy gradients, which the accountant does not count"
EXCLUDES = {
    "wen_filter": "a kept pair's loss is divided by how many are kept of its batch",
    "agc": "its table remembers the losses of all pairs, without noise",
    "latent_mixup": BATCH,
    "text_mixup": BATCH,
    **dict.fromkeys(("smp_lora", "mp_lora", "distill_md", "distill_single"), UNCOUNTED),
    "shuffle": "a pair is trained on with another one's caption",
    "dedup": "whether a pair is kept depends on the others",
}


@dataclass
class _Private(Defense):
    """The recipe of DP-SGD for a budget, and what was spent of it."""

    level: ClassVar[Literal["procedure"]] = "procedure"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"vacuous": {"epsilon": 1e6}}

    epsilon: float = 10.0
    delta: float = 0.0
    clip: float = 1e-3
    batch: int = 64

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        said = f"defense {self.name}: "
        if not self.epsilon > 0:
            raise UsageError(f"{said}epsilon={self.epsilon} must be positive (inf: no noise)")
        if not 0.0 <= self.delta < 1.0:
            raise UsageError(f"{said}delta={self.delta} must be below 1 (0: pairs ** -1.1)")
        if not self.clip > 0:
            raise UsageError(f"{said}clip={self.clip} must be positive (inf: none)")
        if math.isinf(self.clip) and math.isfinite(self.epsilon):
            raise UsageError(f"{said}clip=inf must go with epsilon=inf: noise is scaled by clip")
        if self.batch < 1:
            raise UsageError(f"{said}batch={self.batch} must be at least 1")

    def recipe(self, recipe: Any, pairs: int) -> Any:
        """Clipping, Poisson batches and the noise that the budget asks for; epochs are kept."""
        if math.isinf(self.clip):
            return recipe
        batch = min(self.batch, pairs)
        private = recipe.changed(sample_clip=self.clip, poisson=True, batch=batch, accumulate=1)
        if math.isinf(self.epsilon):
            return private
        steps = recipe.epochs * -(-pairs // batch)
        return private.changed(noise_multiplier=self._sigma(batch / pairs, steps, pairs))

    def _sigma(self, rate: float, steps: int, pairs: int) -> float:
        from opacus.accountants.utils import get_noise_multiplier

        return float(
            get_noise_multiplier(
                target_epsilon=self.epsilon, target_delta=self._delta(pairs), sample_rate=rate,
                steps=steps, accountant="rdp",
            )
        )  # fmt: skip

    def _delta(self, pairs: int) -> float:
        return self.delta or min(pairs**-1.1, 0.5)

    def begin(self, training: Training) -> None:
        """Notes what the guarantee is about."""
        recipe, pairs = training.recipe, len(training.pairs)
        if recipe.sample_clip is None:
            return
        training.notes.update(
            sigma=recipe.noise_multiplier, clip=recipe.sample_clip, expected_batch=recipe.batch,
            sampler="Poisson", sample_rate=recipe.batch / pairs, delta=self._delta(pairs),
            accountant="RDP (opacus)", neighbours="add or remove one pair",
            not_counted="choice of parameters; the loss curve; the seed must stay secret",
        )  # fmt: skip

    def stops(self, epoch: int, training: Training) -> bool:
        """Never; asked at the end of each epoch, so the budget is that of the steps made."""
        recipe = training.recipe
        if recipe.noise_multiplier:
            from opacus.accountants import RDPAccountant

            accountant, pairs = RDPAccountant(), len(training.pairs)
            accountant.history = [(recipe.noise_multiplier, recipe.batch / pairs, training.steps)]
            spent = accountant.get_epsilon(delta=self._delta(pairs))
            training.notes.update(epsilon_spent=float(spent), noisy_steps=training.steps)
        return False


@dataclass
class DPSGD(_Private):
    """Fine-tunes all weights by DP-SGD: each pair's gradient clipped, the sum made noisy.

    Abadi et al., CCS 2016 (arXiv 1607.00133), Algorithm 1, with AdamW on the noisy gradient as in
    DP-LDM (Liu et al., arXiv 2305.15759), whose text-to-image setting is epsilon 10 and clip 1e-3.
    Batches are Poisson of expected size `batch`, epochs those of the recipe, the noise multiplier
    that of opacus' RDP accountant (its PRV accountant does not end at large budgets). delta=0 means
    pairs ** -1.1. The averaged weights and kept epochs cost nothing more.

    epsilon=inf adds no noise; with clip=inf too, training is the recipe's own. `preset=vacuous`
    (epsilon 1e6) promises nothing: the comparison that Aerni et al. (CCS 2024, arXiv 2404.17399)
    ask for. Differs from DP-LDM: all weights, one noise and timestep a pair, no public pre-training
    beyond the base.
    """

    name: ClassVar[str] = "dp_sgd"
    paper: ClassVar[str] = "Abadi et al., CCS 2016"
    excludes: ClassVar[Mapping[str, str]] = EXCLUDES | {"dp_lora": "one budget a training"}


@dataclass
class DPLoRA(_Private):
    """DP-SGD on low-rank updates of the attention layers only, where less noise is added in all.

    As `dp_sgd`, on LoRA of this `rank`, alpha = rank, as DP-LoRA (Tsai et al., ICCV 2025); DP-LDM's
    sweep is best at rank 4 to 8. With epsilon=inf,clip=inf it is LoRA; rank=0 then is no defense.
    """

    name: ClassVar[str] = "dp_lora"
    paper: ClassVar[str] = "Tsai et al., ICCV 2025"
    excludes: ClassVar[Mapping[str, str]] = EXCLUDES | {"lora": "each sets the rank; say rank="}

    rank: int = 4

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        super().__post_init__()
        if self.rank < 0:
            raise UsageError(f"defense {self.name}: rank={self.rank} must not be negative")

    def recipe(self, recipe: Any, pairs: int) -> Any:
        """The same, low-rank."""
        return super().recipe(recipe.changed(lora_rank=self.rank), pairs)
