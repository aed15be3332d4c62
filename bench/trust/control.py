"""Base-model control: an attack on the base, which was never fine-tuned, must find nothing.

Its AUC away from one half means that members and hold-outs differ in themselves, that they were
dealt with twins across, or that the base was trained on one side of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.stats.estimate import Estimate, mean_over_seeds, two_sided_z
from bench.trust.gate import Gate

ALPHA = 0.05
TOGETHER = 40
"""Controls that a board may hold: attacks times views. A fixed number, so that the verdict on a row
does not move when another row comes or goes."""


def control_gate(per_seed: Sequence[Estimate], together: int = TOGETHER) -> Gate:
    """Passed iff the AUC of every seed, and their mean, holds .5 in its interval.

    Bonferroni over `together` controls and, with R > 1 seeds, R + 1 looks at each: intervals at
    level 1 - .05 / looks, got from those given by stretching, half width times z(level) / z(given).
    So of all controls that are looked at together any fails by chance in at most 5 %. Raises
    ValueError where there is no seed.
    """
    mean = mean_over_seeds(per_seed).estimate
    seen = [mean, *per_seed] if len(per_seed) > 1 else [mean]
    level = 1 - ALPHA / (together * len(seen))
    low, high = stretched(mean, level)
    figures = {"auc": mean.value, "low": low, "high": high, "level": level, "looks": len(seen)}
    return Gate("base control", all(_holds(one, level) for one in seen), figures)


def stretched(estimate: Estimate, level: float) -> tuple[float, float]:
    """The ends of the interval at another level."""
    factor = two_sided_z(level) / two_sided_z(estimate.level)
    low = estimate.value - factor * (estimate.value - estimate.low)
    high = estimate.value + factor * (estimate.high - estimate.value)
    return max(0.0, low), min(1.0, high)


def _holds(estimate: Estimate, level: float) -> bool:
    low, high = stretched(estimate, level)
    return low <= 0.5 <= high
