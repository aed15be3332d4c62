"""How many pairs each part of a split holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Self

from bench.errors import UsageError


@dataclass(frozen=True)
class SplitSizes:
    """Pairs by part; a shadow without pairs of its own is dealt from the target's (`resplit`)."""

    members: int = 500
    holdouts: int = 500
    shadow_members: int = 500
    shadow_holdouts: int = 500
    reference: int = 350
    auxiliary: int = 350

    def __post_init__(self) -> None:
        shadowless = not self.shadow_members and not self.shadow_holdouts
        for part, size in asdict(self).items():
            if size < 1 and not (shadowless and part.startswith("shadow_")):
                raise UsageError(f"every part of a split needs a pair, {part} was given {size}")

    @property
    def total(self) -> int:
        """Pairs that all parts need."""
        return sum(asdict(self).values())

    @classmethod
    def scaled(cls, n: int) -> Self:
        """The default proportions for n pairs; those of `tiles` at its 2,735."""
        return cls(**{part: size * n // 2735 for part, size in asdict(cls()).items()})
