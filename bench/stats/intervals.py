"""Intervals for AUC, TPR@f and ASR: which method for which figure is rule 5.3 of the evaluation.

All resample or bound members and hold-outs separately; the exact binomial on the TPR alone, the
common shortcut, covers 59-83 % instead of 95 % since it takes the threshold for known.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import (  # type: ignore[import-untyped,unused-ignore]
    betainc,
    expit,
    logit,
)

from bench.stats._check import (
    FloatArray,
    IntArray,
    count,
    rate,
    score_pair,
    tail,
    threshold_value,
)
from bench.stats.estimate import (
    Estimate,
    clopper_pearson,
    mean_of_independent,
    two_sided_z,
    wilson,
)
from bench.stats.roc import allowed_false_positives, auc, midranks

REPLICATES = 2_000


def placements(members: FloatArray, holdouts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """DeLong's structural components: each pair's own AUC against the other class, (m,) and (n,).

    V10_i = share of hold-outs below member i, V01_j = share of members above hold-out j (ties
    half). Mid-ranks in the pooled sample less those within the class count them in O(n log n)
    (Sun & Xu 2014). Both average to the AUC.
    """
    m, n = members.size, holdouts.size
    pooled = midranks(np.concatenate([members, holdouts]))
    v10: FloatArray = (pooled[:m] - midranks(members)) / n
    v01: FloatArray = 1 - (pooled[m:] - midranks(holdouts)) / m
    return v10, v01


def auc_interval(members: ArrayLike, holdouts: ArrayLike, level: float = 0.95) -> Estimate:
    """AUC with DeLong's interval (DeLong et al. 1988) on the logit scale.

    var = var(V10)/m + var(V01)/n;  logit(A) -+ z sqrt(var) / (A (1-A)), which stays inside (0, 1).

    The variance is 0 only where A is 1, 0, or 1/2 with all scores equal. No zero-width claim is
    made there: all of p = min(m, n) disjoint member-hold-out pairs came out alike, so with
    Clopper-Pearson their true share is at least q = (alpha/2)^(1/p), the rest may contribute
    anything: [q A, q A + 1 - q] ("disjoint-pairs"; A = 1 and n = 500: [0.9927, 1]). With a single
    score in a class its variance is unknowable: [0, 1] ("vacuous").
    """
    x, y = score_pair(members, holdouts)
    alpha = tail(level)
    v10, v01 = placements(x, y)
    area = auc(x, y)
    if np.ptp(v10) == 0 and np.ptp(v01) == 0:
        low, high = disjoint_pairs(area, min(x.size, y.size), alpha, worst=0.0)
        return Estimate(area, low, high, "disjoint-pairs", level)
    if min(x.size, y.size) == 1:
        return Estimate(area, 0.0, 1.0, "vacuous", level)
    error = np.sqrt(v10.var(ddof=1) / x.size + v01.var(ddof=1) / y.size)
    reach = two_sided_z(level) * error / (area * (1 - area))
    low, high = expit(logit(area) - reach), expit(logit(area) + reach)
    return Estimate(area, min(area, float(low)), max(area, float(high)), "delong", level)


def disjoint_pairs(value: float, pairs: int, alpha: float, worst: float) -> tuple[float, float]:
    """Ends for a mean that all of `pairs` disjoint pairs gave alike; others lie in [worst, 1]."""
    alike = clopper_pearson(pairs, pairs, alpha).low
    return worst + alike * (value - worst), 1 - alike * (1 - value)


def tpr_interval(
    members: ArrayLike,
    holdouts: ArrayLike,
    fpr: float = 0.01,
    *,
    level: float = 0.95,
    replicates: int = REPLICATES,
    rng: np.random.Generator | int = 0,
) -> Estimate:
    """TPR@f with the percentile bootstrap, members and hold-outs resampled separately: for display.

    Never narrower than Clopper-Pearson on the members at the observed threshold: the bootstrap
    alone would say [1, 1] for an attack that caught all of a few members. `rng` is a generator
    or a seed; the same seed gives the same interval.
    """
    x, y = score_pair(members, holdouts)
    alpha = tail(level)
    above = _members_above(x, y)
    k = allowed_false_positives(y.size, fpr)
    draws = _tpr_replicates(above, x.size, k, count(replicates, "replicates"), rng)
    low, high = np.quantile(draws, [alpha / 2, 1 - alpha / 2])
    fixed = clopper_pearson(int(above[k]), x.size, alpha)
    return Estimate(
        fixed.value, min(float(low), fixed.low), max(float(high), fixed.high), "bootstrap", level
    )


def _members_above(members: FloatArray, holdouts: FloatArray) -> IntArray:
    """Number of members above the highest, second highest, ... hold-out, (n,)."""
    falling = -np.sort(-holdouts)
    above: IntArray = members.size - np.searchsorted(np.sort(members), falling, side="right")
    return above


def _tpr_replicates(
    above: IntArray, m: int, k: int, replicates: int, rng: np.random.Generator | int
) -> FloatArray:
    """TPR@f of `replicates` resamples, (B,), drawn from its exact law without resampling.

    The (k+1)-th highest of n hold-outs drawn with replacement sits where the (k+1)-th smallest of
    n uniform numbers, a Beta(k+1, n-k), falls among the sorted hold-outs; the number of resampled
    members above it is then binomial. O(B) time and memory in place of O(B (m + n)).
    """
    n = above.size
    generator = np.random.default_rng(rng)
    position = np.minimum((n * generator.beta(k + 1, n - k, replicates)).astype(np.int64), n - 1)
    draws: FloatArray = generator.binomial(m, above[position] / m) / m
    return draws


def tpr_claim(
    members: ArrayLike, holdouts: ArrayLike, fpr: float = 0.01, *, level: float = 0.95
) -> Estimate:
    """TPR@f with a distribution-free rectangle: for claims ("at least low"), any m and n.

    The true FPR of the (k+1)-th highest hold-out is Beta(k+1, n-k). Threshold: the lowest that has
    FPR > f, and the highest that has FPR < f, each with probability at most alpha/4. TPR: the
    Clopper-Pearson bound there, again alpha/4 each; by Bonferroni at least 1 - alpha holds. Where
    even the highest hold-out may have FPR > f, low is 0 (n < 437 at 1 %, see `tpr_rule`).
    """
    x, y = score_pair(members, holdouts)
    alpha = tail(level)
    k = allowed_false_positives(y.size, fpr)
    above = _members_above(x, y)
    hits = np.arange(y.size)
    at_most_f = betainc(hits + 1, y.size - hits, float(rate(fpr)))  # P(FPR <= f), falls with k
    strict = np.count_nonzero(1 - at_most_f <= alpha / 4) - 1
    loose = np.count_nonzero(at_most_f > alpha / 4)
    low = clopper_pearson(int(above[strict]), x.size, alpha / 2).low if strict >= 0 else 0.0
    high = clopper_pearson(int(above[loose]), x.size, alpha / 2).high if loose < y.size else 1.0
    return Estimate(float(above[k]) / x.size, low, high, "rectangle", level)


def asr_interval(
    members: ArrayLike, holdouts: ArrayLike, threshold: float, level: float = 0.95
) -> Estimate:
    """ASR (`roc.accuracy`) at a threshold fixed beforehand on the shadow.

    Members right and hold-outs right are then two independent binomials: Wilson intervals for the
    shares, their mean by MOVER. Not valid for a threshold chosen on these same scores.
    """
    x, y = score_pair(members, holdouts)
    cut = threshold_value(threshold)
    caught = wilson(int(np.count_nonzero(x > cut)), x.size, level)
    spared = wilson(int(np.count_nonzero(y <= cut)), y.size, level)
    return mean_of_independent([caught, spared], "wilson-mover")
