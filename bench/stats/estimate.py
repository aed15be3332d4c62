"""A figure with its interval; binomial shares; means of independent figures."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv, ndtri  # type: ignore[import-untyped,unused-ignore]

from bench.stats._check import count, not_empty, tail


class Estimate(NamedTuple):
    """A figure, low <= value <= high, the method of the interval and its nominal level."""

    value: float
    low: float
    high: float
    method: str
    level: float = 0.95


class SeedMean(NamedTuple):
    """Mean over training seeds, and the SD between them (None for a single seed)."""

    estimate: Estimate
    seed_sd: float | None


def two_sided_z(level: float) -> float:
    """z with P(|N(0,1)| <= z) = level; 1.96 at 0.95."""
    return float(ndtri(1 - tail(level) / 2))


def clopper_pearson(k: int, n: int, alpha: float = 0.05) -> Estimate:
    """Exact interval for a binomial share k/n (Clopper & Pearson 1934), alpha/2 on each side.

    low = alpha/2 quantile of Beta(k, n-k+1), high = 1-alpha/2 quantile of Beta(k+1, n-k).
    Raises ValueError unless 0 <= k <= n, n >= 1 and 0 < alpha < 1.
    """
    level = tail(alpha, "alpha")
    _check_share(k, n)
    low = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, alpha / 2))
    high = 1.0 if k == n else float(betaincinv(k + 1, n - k, 1 - alpha / 2))
    return Estimate(k / n, low, high, "clopper-pearson", level)


def wilson(k: int, n: int, level: float = 0.95) -> Estimate:
    """Score interval for a binomial share k/n (Wilson 1927): close to nominal, never empty.

    (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n). Raises as `clopper_pearson`.
    """
    z2 = two_sided_z(level) ** 2
    _check_share(k, n)
    p = k / n
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * p * (1 - p) / n + (z2 / (2 * n)) ** 2) / (1 + z2 / n)
    # At k = 0 and k = n the ends are exactly 0 and 1; rounding must not put them past the value.
    return Estimate(
        p, min(max(0.0, centre - half), p), max(min(1.0, centre + half), p), "wilson", level
    )


def _check_share(k: int, n: int) -> None:
    if count(k, "k", at_least=0) > count(n, "n"):
        raise ValueError(f"k: expected at most n = {n}, got {k}")


def mean_of_independent(parts: Sequence[Estimate], method: str) -> Estimate:
    """Mean of R independent figures, with MOVER (Zou & Donner 2008; Newcombe 1998, method 10).

    low = mean - sqrt(sum (value_r - low_r)^2) / R, and likewise high. Each distance to an end
    stands in for z * SE there, so skewed intervals stay skewed and none is empty at 0 or 1.
    """
    not_empty(parts, "parts")
    if len({part.level for part in parts}) > 1:
        raise ValueError("parts: intervals of different levels cannot be averaged")
    value, low, high = np.array([part[:3] for part in parts]).T
    mean = float(value.mean())
    down, up = np.linalg.norm(value - low), np.linalg.norm(high - value)
    return Estimate(
        value=mean,
        low=max(0.0, mean - float(down) / len(parts)),
        high=min(1.0, mean + float(up) / len(parts)),
        method=method,
        level=parts[0].level,
    )


def mean_over_seeds(estimates: Sequence[Estimate]) -> SeedMean:
    """Mean of one figure (all in [0, 1]) over training seeds, one Estimate a seed.

    The interval is *within* seeds: it says how the mean would move with other members and
    hold-outs for these very trainings, and treats the seeds' splits as independent draws. How far
    another training would move it is `seed_sd` (ddof = 1), printed beside. The two are not merged:
    with R = 3 a t-interval over seeds has 2 degrees of freedom (factor 4.3), and resampling three
    seeds understates their variance by a third. If both are of one size, add seeds, not samples.

    Averaging narrows the interval but not the upward bias of TPR@f ((k+1)/(n+1) > f): over three
    seeds it covers 91-93 % at n = 500 and 95-96 % at n = 2,500, as the bootstrap of the mean does;
    AUC covers 95 % at both (binormal, 1,500 runs a case).
    """
    not_empty(estimates, "estimates")
    if len(estimates) == 1:
        return SeedMean(estimates[0], None)
    method = f"mover({'+'.join(sorted({e.method for e in estimates}))})"
    spread = float(np.std([e.value for e in estimates], ddof=1))
    return SeedMean(mean_of_independent(estimates, method), spread)
