"""What the worst of several attacks would be by chance, and the smallest leak that would be seen.

A leak is seen where the worst attack's figure, by `worst.worst_case`, lies above the band that as
many attacks who know nothing stay in. Numbers of members m and hold-outs n may differ.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import ndtr, ndtri  # type: ignore[import-untyped,unused-ignore]

from bench.stats._check import count, tail
from bench.stats.estimate import Estimate
from bench.stats.roc import allowed_false_positives
from bench.stats.worst import FPR, null_band

POWER = 0.8
"""Four of five leaks of the size told are seen."""
DRAWS = 10_000


@cache
def null_auc_band(m: int, n: int, attacks: int = 1, level: float = 0.95) -> Estimate:
    """`worst.null_band` for AUC: normal on each half, variance (m + n + 1) / (12 m n)."""
    generator = np.random.default_rng(0)
    shape = (DRAWS, count(attacks, "attacks"))
    first, second = (
        0.5 + np.sqrt((a + b + 1) / (12 * a * b)) * generator.standard_normal(shape)
        for a, b in _halves(m, n)
    )
    rows, alpha = np.arange(DRAWS), tail(level)
    means = (second[rows, first.argmax(axis=1)] + first[rows, second.argmax(axis=1)]) / 2
    low, high = np.quantile(means, [alpha / 2, 1 - alpha / 2])
    return Estimate(float(means.mean()), float(low), float(high), "simulated", level)


@cache
def smallest_auc(m: int, n: int, attacks: int = 1) -> float:
    """The least AUC of one attack that is above `null_auc_band` in four of five audits.

    Variance on a half by Hanley & McNeil (1982): (A(1-A) + (m-1)(A/(2-A) - A^2)
    + (n-1)(2A^2/(1+A) - A^2)) / (mn). 1 where none is.
    """
    bar = null_auc_band(m, n, attacks).high
    areas = np.arange(0.5, 1.0005, 0.0005)
    variance = np.zeros_like(areas)
    for a, b in _halves(m, n):
        members = (a - 1) * (areas / (2 - areas) - areas**2)
        holdouts = (b - 1) * (2 * areas**2 / (1 + areas) - areas**2)
        variance += (areas * (1 - areas) + members + holdouts) / (a * b) / 4
    seen = areas - ndtri(POWER) * np.sqrt(variance) > bar
    return float(areas[int(np.argmax(seen))]) if seen.any() else 1.0


@cache
def smallest_tpr(m: int, n: int, attacks: int = 1, fpr: float = FPR) -> float:
    """The least TPR@f of one attack that is above `worst.null_band` in four of five audits.

    Members score d standard deviations above hold-outs (binormal): TPR = Phi(Phi^-1(f) + d). On a
    half the threshold's true f is Beta(k+1, n-k), and the members found are binomial. 1 where none.
    """
    bar = null_band(((m, n),), attacks, fpr).high
    for rate in np.arange(fpr, 1.0, 0.0025):
        generator = np.random.default_rng(0)
        shift = ndtri(rate) - ndtri(fpr)
        found = np.zeros(DRAWS)
        for a, b in _halves(m, n):
            k = allowed_false_positives(b, fpr)
            true = ndtr(ndtri(generator.beta(k + 1, b - k, DRAWS)) + shift)
            found += generator.binomial(a, true) / a / 2
        if np.mean(found > bar) >= POWER:
            return float(rate)
    return 1.0


def _halves(m: int, n: int) -> tuple[tuple[int, int], tuple[int, int]]:
    for name, size in (("m", m), ("n", n)):
        count(size, name, at_least=2)
    return (m // 2, n // 2), (m - m // 2, n - n // 2)
