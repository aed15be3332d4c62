"""Training hyper-parameters as frozen, named specifications."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from bench.errors import unknown
from bench.specs import Frozen


class Recipe(Frozen):
    """How a model is fine-tuned; every field is in the key of what it makes."""

    name: str
    epochs: int = Field(ge=1, description="visits of every pair")
    batch: int = Field(16, ge=1, description="pairs a micro-batch")
    accumulate: int = Field(1, ge=1, description="micro-batches an optimiser step")
    lr: float = Field(2e-4, gt=0, description="constant learning rate of AdamW")
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = Field(1e-2, ge=0)
    clip_norm: float = Field(1.0, gt=0, description="maximal norm of the gradient")
    ema_decay: float = Field(0.999, ge=0, lt=1, description="the weights that are kept")
    crop_margin: int = Field(
        0, ge=0, description="pixels of edge padding before the crop, for square pictures"
    )
    lora_rank: int = Field(
        0, ge=0, description="train low-rank updates of the attention layers only; 0: all weights"
    )
    lora_alpha: int = Field(0, ge=0, description="scale of those updates times rank; 0: the rank")
    sample_clip: float | None = Field(
        None, gt=0, description="maximal norm of each pair's own gradient (DP-SGD)"
    )
    noise_multiplier: float = Field(
        0.0, ge=0, description="noise on the summed gradients, in units of sample_clip"
    )
    poisson: bool = Field(False, description="draw each pair for each batch independently")
    precision: Literal["no", "bf16"] = Field("no", description="mixed precision of accelerate")
    keep: tuple[int, ...] = Field((), description="epochs whose weights are kept beside the last")
    board: bool = Field(True, description="whether rows made with it may be ranked")

    @model_validator(mode="after")
    def _private(self) -> Self:
        """Clipped sums of several micro-batches would each bring noise of their own."""
        if self.sample_clip is not None and self.accumulate != 1:
            raise ValueError("sample_clip needs accumulate=1; make the batch larger instead")
        if self.sample_clip is None and (self.poisson or self.noise_multiplier):
            raise ValueError("poisson and noise_multiplier need sample_clip")
        return self

    def changed(self, **changes: Any) -> Recipe:
        """The same but for these fields, checked."""
        return Recipe(**self.model_dump() | changes)


RECIPES = {
    recipe.name: recipe
    for recipe in (
        # 80 epochs: the paper's real-world setting (50,000 steps of 4 on 2,500 pictures).
        Recipe(name="mini", epochs=80, crop_margin=2, keep=(5, 10, 15, 20, 30, 40, 60)),
        Recipe(name="quick", epochs=12, crop_margin=2, keep=(6,), board=False),
    )
}

SUMMARIES = {
    "mini": "real-world setting of the paper for the embedded base: 80 epochs, crop + flip",
    "quick": "12 epochs, to see the path work; never ranked",
}


def named_recipe(name: str) -> Recipe:
    """The recipe of that name."""
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return RECIPES[name]
