"""Training hyper-parameters as frozen, named specifications."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

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
    precision: Literal["no", "bf16"] = Field("no", description="mixed precision of accelerate")
    keep: tuple[int, ...] = Field((), description="epochs whose weights are kept beside the last")
    board: bool = Field(True, description="whether rows made with it may be ranked")


RECIPES = {
    recipe.name: recipe
    for recipe in (
        # 80 epochs: the paper's real-world setting (50,000 steps of 4 on 2,500 pictures).
        Recipe(name="mini", epochs=80, crop_margin=2, keep=(10, 20, 40)),
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
