"""Attack `late_loss`."""

from dataclasses import dataclass
from typing import ClassVar

from bench.api import Attack, FloatArray, Pairs, Target


@dataclass
class LateLoss(Attack):
    """Denoising loss with much noise, where most of what is told comes from the caption."""

    name: ClassVar[str] = "late_loss"
    t: int = 700

    @property
    def queries(self) -> int:
        return 1

    def features(self, target: Target, pairs: Pairs) -> FloatArray:
        return -target.losses(pairs, [self.t])
