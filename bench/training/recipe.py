"""Training hyper-parameters as frozen, named specifications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from bench.data.cards import CARDS, GRADIENT_PAIRS, Card
from bench.errors import unknown
from bench.specs import Frozen

CAME_LATER = ("gradient_checkpointing", "keep_raw")
"""Fields that are said only where they are used, so that older results keep their keys."""


class Recipe(Frozen):
    """How a model is fine-tuned; every field is in the key of what it makes."""

    name: str
    epochs: int = Field(ge=0, description="visits of every pair; 0: the base as it is")
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
    precision: Literal["no", "bf16", "fp16"] = Field(
        "no", description="mixed precision of accelerate"
    )
    gradient_checkpointing: bool = Field(
        False, description="keep few activations and compute the others twice: memory for time"
    )
    keep: tuple[int, ...] = Field((), description="epochs whose weights are kept beside the last")
    keep_raw: bool = Field(False, description="keep the last weights as trained, not averaged, too")
    board: bool = Field(True, description="whether rows made with it may be ranked")

    @model_validator(mode="after")
    def _private(self) -> Self:
        """Clipped sums of several micro-batches would each bring noise of their own."""
        if self.sample_clip is not None and self.accumulate != 1:
            raise ValueError("sample_clip needs accumulate=1; make the batch larger instead")
        if self.sample_clip is None and (self.poisson or self.noise_multiplier):
            raise ValueError("poisson and noise_multiplier need sample_clip")
        return self

    @model_serializer(mode="wrap")
    def _said(self, said: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """All fields but those that came later and are not used."""
        unused = {n for n in CAME_LATER if getattr(self, n) == Recipe.model_fields[n].default}
        return {name: value for name, value in said(self).items() if name not in unused}

    def changed(self, **changes: Any) -> Recipe:
        """The same but for these fields, checked."""
        return Recipe(**self.model_dump() | changes)


LENGTHS = {
    "paper-overtraining": "overtraining",
    "paper-realworld": "realworld",
    "modern": "realworld",
}
"""Recipes whose length is the paper's for the data set, and the kind of training they follow."""
USUAL = CARDS["coco"]
"""The data set whose length of training any other data gets."""

SCRIPT: Mapping[str, Any] = {
    "batch": 1,
    "accumulate": 4,
    "lr": 1e-5,
    "ema_decay": 0.9999,
    "precision": "fp16",
    "gradient_checkpointing": True,
    "keep_raw": True,
}
"""The command of Zhai et al. 2024 (train_sh/ft_mia.sh): a step is four pairs, one at a time."""
MODERN: Mapping[str, Any] = {
    **SCRIPT,
    "batch": 4,
    "accumulate": 1,
    "precision": "bf16",
    "gradient_checkpointing": False,
}
"""The same steps of the same size from the same pairs, at once."""


def _long(name: str, settings: Mapping[str, Any], card: Card = USUAL) -> Recipe:
    """A recipe of the published length, in visits of every pair, kept at each quarter of it."""
    epochs = round(card.steps[LENGTHS[name]] * GRADIENT_PAIRS / card.members)
    quarters = tuple(epochs * quarter // 4 for quarter in (1, 2, 3))
    return Recipe(name=name, epochs=epochs, keep=quarters, **settings)


RECIPES = {
    recipe.name: recipe
    for recipe in (
        # 80 epochs: the paper's real-world setting (50,000 steps of 4 on 2,500 pictures).
        Recipe(name="mini", epochs=80, crop_margin=2, keep=(5, 10, 15, 20, 30, 40, 60)),
        # 240: its over-training (150,000 steps).
        Recipe(name="mini-overtraining", epochs=240, crop_margin=2, keep=(60, 120, 180)),
        Recipe(name="quick", epochs=12, crop_margin=2, keep=(6,), board=False),
        _long("paper-overtraining", SCRIPT),
        _long("paper-realworld", SCRIPT),
        _long("modern", MODERN),
        Recipe(name="pretrained", epochs=0),
    )
}

SUMMARIES = {
    "mini": "real-world setting of the paper for the embedded base: 80 epochs, crop + flip",
    "mini-overtraining": "Table 1 for the embedded base: three times as long",
    "quick": "12 epochs, to see the path work; never ranked",
    "paper-overtraining": "Table 1 on Stable Diffusion, as published; with --augment script",
    "paper-realworld": "Tables 2, 4, 5 on Stable Diffusion, as published; a GPU with fp16",
    "modern": "the same steps in bf16, four pairs at once: faster, equal in expectation",
    "pretrained": "no fine-tuning, the base itself is attacked: Table 3",
}


def named_recipe(name: str, card: str | None = None) -> Recipe:
    """The recipe of that name, as long as the paper trained on the data set of this card."""
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    recipe, known = RECIPES[name], CARDS.get(card or "")
    if known is None or LENGTHS.get(name) not in known.steps:
        return recipe
    return _long(name, recipe.model_dump(exclude={"name", "epochs", "keep"}), known)


def variants(name: str) -> dict[str, Recipe]:
    """What the recipe of this name is for each data set it knows, after what it usually is."""
    lengths = {"": RECIPES[name]}
    for card in CARDS.values():
        if LENGTHS.get(name) in card.steps:
            lengths[card.name] = named_recipe(name, card.name)
    return lengths
