"""Settings of the optimiser as defenses: `weight_decay`, `ema` and `learning_rate`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from bench.api import Defense
from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.training.recipe import Recipe


@dataclass
class WeightDecay(Defense):
    """Stronger weight decay of AdamW.

    Loshchilov and Hutter, ICLR 2019 (arXiv 1711.05101): each step shrinks the weights by
    lr value. The published fine-tuning script has 0.01, at which this is `none` under the embedded
    recipes; 0.1 here. Duan et al., ICML 2023 (arXiv 2302.01316), report that strong l2 kept their
    DDPM from converging, so weak values only.
    """

    name: ClassVar[str] = "weight_decay"
    level: ClassVar = "procedure"
    paper: ClassVar[str] = "Loshchilov and Hutter, ICLR 2019, arXiv 1711.05101"

    value: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what is no decay."""
        if not 0.0 <= self.value < math.inf:
            raise UsageError(
                f"defense weight_decay: value={self.value} must be at least 0 and finite"
            )

    def recipe(self, recipe: Recipe, pairs: int) -> Recipe:
        return recipe.changed(weight_decay=self.value)


@dataclass
class Ema(Defense):
    """Another average of the weights: what is published is averaged with this decay.

    The averaged weights lag behind those trained, a mild defense in itself; decay = 0 publishes the
    trained weights as they are. The published script averages with min(decay, (1 + n) / (10 + n))
    after n steps, decay = 0.9999 (so does this): a short training never reaches it, and is the same
    under every decay above (1 + n) / (10 + n) of its last step.
    """

    name: ClassVar[str] = "ema"
    level: ClassVar = "procedure"
    paper: ClassVar[str] = "knob of the script of Zhai et al., NeurIPS 2024"

    decay: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no decay."""
        if not 0.0 <= self.decay < 1.0:
            raise UsageError(f"defense ema: decay={self.decay} must be at least 0 and below 1")

    def recipe(self, recipe: Recipe, pairs: int) -> Recipe:
        return recipe.changed(ema_decay=self.decay)


@dataclass
class LearningRate(Defense):
    """The recipe's learning rate times `scale`: how far less training goes without any defense.

    No defense, but what each has to be held against: a defense that is no better than training
    less, at equal utility, is none. With 0.25, 1 (`none`) and 4 it draws the undefended frontier.
    """

    name: ClassVar[str] = "learning_rate"
    level: ClassVar = "procedure"

    scale: float = 0.25

    def __post_init__(self) -> None:
        """Refuse what is no rate."""
        if not 0.0 < self.scale < math.inf:
            raise UsageError(
                f"defense learning_rate: scale={self.scale} must be greater than 0 and finite"
            )

    def recipe(self, recipe: Recipe, pairs: int) -> Recipe:
        return recipe.changed(lr=recipe.lr * self.scale)
