"""Empirical lower bounds on epsilon: what an attack's success says about a guarantee.

The split into members and hold-outs is itself the game of differential privacy: each pair in or
out. A bound holds for this split and this attack; it is no guarantee.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv  # type: ignore[import-untyped,unused-ignore]

from bench.stats._check import score_pair, tail
from bench.stats.bootstrap import half
from bench.stats.estimate import clopper_pearson
from bench.stats.roc import Roc, roc

Halves = tuple[NDArray[np.bool_], NDArray[np.bool_]]


class EpsilonBound(NamedTuple):
    """With probability `level` epsilon is at least `value`, or the guarantee does not hold."""

    value: float
    threshold: float
    tpr_low: float
    fpr_high: float
    delta: float
    level: float


def epsilon_lower_bound(
    members: ArrayLike,
    holdouts: ArrayLike,
    *,
    delta: float = 0.0,
    level: float = 0.95,
    halves: Halves | None = None,
    rng: np.random.Generator | int = 0,
) -> EpsilonBound:
    """Empirical epsilon >= value: threshold chosen on one half, tested once on the other.

    `halves`: which members (m,) and hold-outs (n,) to choose on, where the attack itself was chosen
    on these; else random ones.

    (epsilon, delta)-DP means TPR <= e^eps FPR + delta and 1 - FPR <= e^eps (1 - TPR) + delta
    (Kairouz et al. 2015). TPR is bounded from below and FPR from above by Clopper-Pearson, alpha/2
    each. The best threshold of the same pairs would give a bound under epsilon = 0 more often than
    alpha (docs/statistics.md). Raises ValueError for fewer than 2 pairs in a class.
    """
    x, y = score_pair(members, holdouts)
    alpha = tail(level)
    if not 0 <= delta < 1:
        raise ValueError(f"delta: expected 0 <= delta < 1, got {delta}")
    if min(x.size, y.size) < 2:
        raise ValueError("members, holdouts: at least 2 each, one half to choose the threshold on")
    if halves is None:
        generator = np.random.default_rng(rng)
        halves = half(x.size, generator), half(y.size, generator)
    (x_choice, x_test), (y_choice, y_test) = (
        (side[first], side[~first]) for side, first in zip((x, y), halves, strict=True)
    )
    threshold = _most_promising(roc(x_choice, y_choice), delta, alpha)
    tpr_low = clopper_pearson(int(np.count_nonzero(x_test > threshold)), x_test.size, alpha).low
    fpr_high = clopper_pearson(int(np.count_nonzero(y_test > threshold)), y_test.size, alpha).high
    return EpsilonBound(
        _epsilon(tpr_low, fpr_high, delta), threshold, tpr_low, fpr_high, delta, level
    )


def _most_promising(curve: Roc, delta: float, alpha: float) -> float:
    """The threshold whose bound on its own half is the best."""
    m, n, t, f = curve.n_members, curve.n_holdouts, curve.true_positives, curve.false_positives
    # Clopper-Pearson for all points at once; the ends that are exactly 0 and 1 apart.
    tpr_low = np.where(t > 0, betaincinv(np.maximum(t, 1), m - t + 1, alpha / 2), 0.0)
    fpr_high = np.where(f < n, betaincinv(f + 1, np.maximum(n - f, 1), 1 - alpha / 2), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.stack([(tpr_low - delta) / fpr_high, (1 - fpr_high - delta) / (1 - tpr_low)])
    return float(curve.thresholds[int(np.argmax(np.nan_to_num(ratios).max(axis=0)))])


def _epsilon(tpr_low: float, fpr_high: float, delta: float) -> float:
    """The least epsilon that both inequalities allow; both hold on the same event."""
    ratios = [((tpr_low - delta), fpr_high), ((1 - fpr_high - delta), 1 - tpr_low)]
    return max(0.0, *(math.log(a / b) for a, b in ratios if a > 0 and b > 0))
