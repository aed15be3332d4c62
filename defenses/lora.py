"""Defense `lora`: low-rank updates of the attention instead of full fine-tuning."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from bench.api import Defense
from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.training.recipe import Recipe


@dataclass
class Lora(Defense):
    """Trains low-rank updates of the attention layers only, which can hold less.

    LoRA (Hu et al., ICLR 2022, arXiv 2106.09685) as in diffusers' `train_text_to_image_lora.py`:
    rank 4, alpha = rank, layers to_q, to_k, to_v and to_out.0 of the U-Net, Gaussian
    initialisation; that fewer trained parameters memorise less is in Dutt et al., WACV 2025 (arXiv
    2405.19458). The learning rate is the recipe's times `lr_scale`: 10, since that script is run
    with 1e-4 where full fine-tuning is run with 1e-5. What is attacked are the averaged weights
    with the updates merged in.

    Unlike in that script the gradients are clipped: its clipping is handed an iterator that its
    optimiser has used up, so published figures are of unclipped training. rank = 0 is full
    fine-tuning at the recipe's own rate.
    """

    name: ClassVar[str] = "lora"
    level: ClassVar = "procedure"
    paper: ClassVar[str] = "Hu et al., ICLR 2022, arXiv 2106.09685"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        f"r{rank}": {"rank": rank} for rank in (4, 16, 64)
    }

    rank: int = 4
    lr_scale: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what is no rank or no rate."""
        if self.rank < 0:
            raise UsageError(f"defense lora: rank={self.rank} must be at least 0")
        if not 0.0 < self.lr_scale < math.inf:
            raise UsageError(
                f"defense lora: lr_scale={self.lr_scale} must be greater than 0 and finite"
            )

    def recipe(self, recipe: Recipe, pairs: int) -> Recipe:
        if not self.rank:
            return recipe
        return recipe.changed(lora_rank=self.rank, lr=recipe.lr * self.lr_scale)
