"""Two runs on the same pairs compared, and many comparisons at once.

All defenses of a seed are judged on the same members and hold-outs, so that a pair that is easy to
find is easy in both runs: the difference is known better than either figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr  # type: ignore[import-untyped,unused-ignore]

from bench.stats._check import FloatArray, count, not_empty, score_pair, tail
from bench.stats.bootstrap import resample, resampled_tpr
from bench.stats.estimate import two_sided_z
from bench.stats.intervals import REPLICATES, disjoint_pairs, placements
from bench.stats.roc import tpr_at_fpr

Scores = tuple[ArrayLike, ArrayLike]
"""Scores of the members (m,) and of the hold-outs (n,), pairs in the same order in both runs."""


class Difference(NamedTuple):
    """First figure minus second, its interval, and the two-sided p-value of "no difference"."""

    value: float
    low: float
    high: float
    p: float
    method: str
    level: float = 0.95


def auc_difference(first: Scores, second: Scores, level: float = 0.95) -> Difference:
    """A_1 - A_2 on the same pairs, by the paired test of DeLong et al. (1988).

    var = var(V10_1 - V10_2)/m + var(V01_1 - V01_2)/n, with the placements of each run. Where no
    pair tells the runs apart more than another, the variance is 0 and the interval that of k =
    min(m, n) disjoint pairs which came out alike (see `auc_interval`). Its ends reach 0 at alpha =
    2 (1 + |A_1 - A_2|)^-k, which is the p-value then. ValueError where the numbers of pairs differ.
    """
    (x1, y1), (x2, y2) = _paired(first, second)
    alpha = tail(level)
    (a10, a01), (b10, b01) = placements(x1, y1), placements(x2, y2)
    by_member, by_holdout = a10 - b10, a01 - b01
    value = float(by_member.mean())
    pairs = min(x1.size, y1.size)
    if np.ptp(by_member) == 0 and np.ptp(by_holdout) == 0:
        low, high = disjoint_pairs(value, pairs, alpha, worst=-1.0)
        p = min(1.0, 2 * (1 + abs(value)) ** -pairs)
        return Difference(value, low, high, p, "disjoint-pairs", level)
    if pairs == 1:
        return Difference(value, -1.0, 1.0, 1.0, "vacuous", level)
    error = np.sqrt(by_member.var(ddof=1) / x1.size + by_holdout.var(ddof=1) / y1.size)
    reach = two_sided_z(level) * error
    p = 2 * float(ndtr(-abs(value) / error))
    low, high = max(-1.0, value - reach), min(1.0, value + reach)
    return Difference(value, float(low), float(high), p, "paired-delong", level)


def tpr_difference(
    first: Scores,
    second: Scores,
    fpr: float = 0.01,
    *,
    level: float = 0.95,
    replicates: int = REPLICATES,
    rng: np.random.Generator | int = 0,
) -> Difference:
    """TPR@f of the first run minus the second's: percentile bootstrap, pairs drawn once for both.

    Members and hold-outs are resampled separately. p = twice the smaller share of replicates on
    either side of 0, counting the observed one (Davison & Hinkley 1997, 4.2): at least 2/(B + 1).
    """
    (x1, y1), (x2, y2) = _paired(first, second)
    alpha = tail(level)
    generator = np.random.default_rng(rng)
    size = count(replicates, "replicates")
    members, holdouts = (resample(n, size, generator) for n in (x1.size, y1.size))
    draws = resampled_tpr(x1, y1, members, holdouts, fpr) - resampled_tpr(
        x2, y2, members, holdouts, fpr
    )
    value = tpr_at_fpr(x1, y1, fpr) - tpr_at_fpr(x2, y2, fpr)
    return percentile_difference(value, draws, alpha, "paired-bootstrap")


def percentile_difference(value: float, draws: FloatArray, alpha: float, method: str) -> Difference:
    """A difference with the percentile interval of its replicates `draws`, (B,)."""
    low, high = np.quantile(draws, [alpha / 2, 1 - alpha / 2])
    sides = min(np.count_nonzero(draws <= 0), np.count_nonzero(draws >= 0))
    p = min(1.0, 2 * (float(sides) + 1) / (draws.size + 1))
    return Difference(value, min(value, float(low)), max(value, float(high)), p, method, 1 - alpha)


def mean_difference(parts: Sequence[Difference]) -> Difference:
    """Mean over R seeds, whose splits are independent: MOVER for the ends, normal p.

    low = mean - sqrt(sum (value_r - low_r)^2) / R, and likewise high (Zou & Donner 2008); p from
    the mean and the half-width on the side of 0. ValueError for none or for two levels.
    """
    not_empty(parts, "parts")
    if len(parts) == 1:
        return parts[0]
    level = parts[0].level
    if any(part.level != level for part in parts):
        raise ValueError("parts: intervals of different levels cannot be averaged")
    value, low, high = np.array([part[:3] for part in parts]).T
    mean = float(value.mean())
    down, up = (float(np.linalg.norm(value - end)) / len(parts) for end in (low, high))
    towards = down if mean > 0 else up
    p = 2 * float(ndtr(-abs(mean) * two_sided_z(level) / towards)) if towards else 1.0
    method = f"mover({parts[0].method})"
    return Difference(mean, mean - down, mean + up, p, method, level)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number (Holm 1979), in the order given.

    Rejecting where an adjusted value is at most alpha errs in any of them with probability at most
    alpha, however they depend on each other.
    """
    not_empty(p_values, "p_values")
    p = np.asarray(p_values, dtype=np.float64)
    if bad := [float(one) for one in p if not 0 <= one <= 1]:
        raise ValueError(f"p_values: expected 0 <= p <= 1, got {bad[0]}")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, stepped)
    return [float(one) for one in adjusted]


def _paired(first: Scores, second: Scores) -> tuple[tuple[FloatArray, FloatArray], ...]:
    one, other = score_pair(*first), score_pair(*second)
    for name, a, b in zip(("members", "holdouts"), one, other, strict=True):
        if a.size != b.size:
            raise ValueError(
                f"{name}: the runs have {a.size} and {b.size}; compare on the same pairs"
            )
    return one, other
