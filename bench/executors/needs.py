"""What a stage takes while it is computed, for engines that place work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.specs import ON_DEVICE, Stage


@dataclass(frozen=True)
class Needs:
    """Of one order."""

    devices: int
    """Accelerators, where there are any."""
    cores: int
    seconds: float
    """About how long it takes, as earlier stages of the kind did."""
    label: str
    """What it is, for whoever looks at a queue."""

    @classmethod
    def of(cls, together: Sequence[Stage], processes: int, seconds: float) -> Needs:
        """Of stages that are computed one after another; a training may have several processes."""
        first = together[0]
        several = processes if first.kind == "train" else 1
        models = any(stage.kind in ON_DEVICE and not stage.joins for stage in together)
        return cls(
            devices=several if models else 0,
            cores=several,
            seconds=seconds,
            label=f"{first.kind}-{first.key[:8]}",
        )
