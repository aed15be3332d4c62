"""What a run may take: time and memory. Spent, it stops; the same command goes on."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from bench.errors import BudgetError

KEPT = "finished stages are kept and unfinished trainings resume"


@dataclass
class Budget:
    """Looked at about twice a second, while stages run."""

    seconds: float | None = None
    gigabytes: float | None = None
    """Of this process and all that it has started; None where an engine sees to it."""
    began: float = field(default_factory=time.monotonic)

    def check(self) -> None:
        """BudgetError once it is spent."""
        if self.seconds is not None and time.monotonic() - self.began > self.seconds:
            raise BudgetError(
                f"--max-time is spent ({self.seconds / 60:.1f} min); {KEPT}: run the same command "
                "again"
            )
        if self.gigabytes is not None and (used := _resident()) > self.gigabytes:
            raise BudgetError(
                f"--max-memory is spent ({used:.1f} of {self.gigabytes:.1f} GB); {KEPT}: run the "
                "same command again with fewer --workers, or a larger --max-memory"
            )


def _resident() -> float:
    """GB that this process and its children hold; what they share counts once where it is known."""
    import psutil

    total = 0
    me = psutil.Process()
    for process in (me, *me.children(recursive=True)):
        try:
            info = process.memory_full_info()
        except psutil.Error:  # gone meanwhile, or somebody else's
            continue
        total += getattr(info, "pss", info.rss)
    return float(total / 1e9)
