"""ROC curve and the figures read from it, all from integer counts and sorted scores.

Called a member iff score > threshold, so that a threshold never splits equal scores. m members,
n hold-outs; no figure here is interpolated or read from a grid (evaluation rules, section 5.2).
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bench.stats._check import (
    FloatArray,
    IntArray,
    count,
    rate,
    score_array,
    score_pair,
    threshold_value,
)

CLAIM_TAIL = 0.05 / 4  # the rectangle of intervals.tpr_claim spends alpha/4 on each of four tails
BOARD_FALSE_POSITIVES = 25  # k hold-outs above the threshold: true FPR within 0.68-1.5 % (k = 25)


@dataclass(frozen=True, eq=False)
class Roc:
    """Every operating point: (false_positives[i], true_positives[i]) score > thresholds[i].

    Integer counts from (0, 0) to (n_holdouts, n_members), one point for each distinct score and
    one more; thresholds fall from the highest score to -inf. All arrays have the same shape (p,).
    """

    false_positives: IntArray
    true_positives: IntArray
    thresholds: FloatArray
    n_members: int
    n_holdouts: int

    @property
    def fpr(self) -> FloatArray:
        """Share of the hold-outs called members at each threshold, (p,)."""
        return self.false_positives / self.n_holdouts

    @property
    def tpr(self) -> FloatArray:
        """Share of the members called members at each threshold, (p,)."""
        return self.true_positives / self.n_members


def roc(members: ArrayLike, holdouts: ArrayLike) -> Roc:
    """ROC curve of scores (m,) and (n,) from one sort; ties move together.

    Raises ValueError, as all functions here, for empty, non-finite or non-1-d scores.
    """
    x, y = score_pair(members, holdouts)
    scores = np.concatenate([x, y])
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last_of_tie = np.append(np.flatnonzero(falling[:-1] != falling[1:]), scores.size - 1)
    true_positives = np.cumsum(order < x.size)[last_of_tie]
    return Roc(
        false_positives=np.append(0, last_of_tie + 1 - true_positives).astype(np.int64),
        true_positives=np.append(0, true_positives).astype(np.int64),
        thresholds=np.append(falling[last_of_tie], -np.inf),
        n_members=x.size,
        n_holdouts=y.size,
    )


def midranks(values: FloatArray) -> FloatArray:
    """Ranks 1..n of `values` (n,); equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle: FloatArray = np.cumsum(counts) - (counts - 1) / 2
    return middle[inverse]


def auc(members: ArrayLike, holdouts: ArrayLike) -> float:
    """P(member > hold-out) + P(equal) / 2 = (sum of the members' mid-ranks - m(m+1)/2) / (mn)."""
    x, y = score_pair(members, holdouts)
    ranks = midranks(np.concatenate([x, y]))[: x.size]
    # Mid-ranks are multiples of 1/2, so the sum is exact and only the division rounds.
    return float((ranks.sum() - x.size * (x.size + 1) / 2) / (x.size * y.size))


def tpr_at_fpr(members: ArrayLike, holdouts: ArrayLike, fpr: float = 0.01) -> float:
    """TPR@f = max TPR over all thresholds with FPR <= f.

    At most k = floor(f n) hold-outs may lie above the threshold, so the lowest one allowed is the
    (k+1)-th highest hold-out score. Needs 0 <= fpr < 1.
    """
    x, y = score_pair(members, holdouts)
    rank = y.size - 1 - allowed_false_positives(y.size, fpr)
    return float(np.mean(x > np.partition(y, rank)[rank]))


def tpr_swapped(members: ArrayLike, holdouts: ArrayLike, fpr: float = 0.01) -> float:
    """Share of the hold-outs rejected once `fpr` of the members are rejected.

    This is what the evaluator released with CLiD (arXiv 2405.14800) prints as TPR@1%FPR: the
    hold-outs are its positive class, and it takes the first point of the curve whose false
    positive rate reaches `fpr`: that of the ceil(f n)-th member, ties with it included. Only for
    comparison with the paper's tables.
    """
    x, y = score_pair(members, holdouts)
    rejected = math.ceil(rate(fpr) * x.size)
    if not rejected:
        return 0.0
    return float(np.mean(y <= np.partition(x, rejected - 1)[rejected - 1]))


def allowed_false_positives(n: int, fpr: float) -> int:
    """k = floor(f n) in exact arithmetic: floats would put floor(0.29 * 100) at 28."""
    return math.floor(rate(fpr) * count(n, "n"))


def null_tpr(n: int, fpr: float = 0.01) -> float:
    """Expected TPR@f of an attack that knows nothing, n hold-outs: (k + 1) / (n + 1).

    Under the null the member is equally likely to fall into each of the n + 1 gaps between the
    hold-outs, and k + 1 of them are above the threshold of `tpr_at_fpr`.
    """
    return (allowed_false_positives(n, fpr) + 1) / (n + 1)


def null_asr(m: int, n: int, seeds: int = 1) -> float:
    """95th percentile of the ASR of an attack that knows nothing, threshold fixed beforehand.

    Normal, at the largest variance that any threshold has: (1/m + 1/n) / 16 a seed. A threshold
    chosen on the same scores reaches more: 54.2 % instead of 52.9 % at 417 (section 4.3).
    """
    spread = math.sqrt((1 / count(m, "m") + 1 / count(n, "n")) / count(seeds, "seeds")) / 4
    return 0.5 + 1.645 * spread


def conformal_threshold(holdouts: ArrayLike, fpr: float = 0.01) -> float:
    """The ceil((1-f)(n+1))-th smallest hold-out score: P(fresh hold-out > it) <= f, exactly.

    For deployed thresholds (split conformal prediction); inf where n < 1/f - 1 admits none.
    """
    y = score_array(holdouts, "holdouts")
    rank = math.ceil((1 - rate(fpr)) * (y.size + 1))
    return math.inf if rank > y.size else float(np.partition(y, rank - 1)[rank - 1])


def accuracy(members: ArrayLike, holdouts: ArrayLike, threshold: float) -> float:
    """ASR: (share of members > threshold + share of hold-outs <= threshold) / 2.

    Balanced, so 0.5 is chance whatever m and n; the paper's definition where m = n.
    """
    x, y = score_pair(members, holdouts)
    cut = threshold_value(threshold)
    return float(np.mean(x > cut) + np.mean(y <= cut)) / 2


def best_threshold(members: ArrayLike, holdouts: ArrayLike) -> float:
    """The finite threshold of best `accuracy`; fit it on the SHADOW's scores only.

    Midway between adjacent distinct scores. Of equally good ones the highest is taken (fewest
    hold-outs accused); where none beats chance it is the highest score: nobody is a member.
    """
    curve = roc(members, holdouts)
    m, n = curve.n_members, curve.n_holdouts
    # argmax takes the first, that is the highest; the last point (-inf) only ties with the first.
    best = int(np.argmax(n * curve.true_positives - m * curve.false_positives))
    if best == 0:
        return float(curve.thresholds[0])
    low, high = float(curve.thresholds[best]), float(curve.thresholds[best - 1])
    middle = low / 2 + high / 2
    return middle if low <= middle < high else low  # neighbouring floats have no middle


class TprRule(NamedTuple):
    """Class sizes that TPR@f needs: refused below the first, warned about below the second."""

    refused_below: int
    board_from: int


def tpr_rule(fpr: float = 0.01) -> TprRule:
    """Class sizes for TPR@f: (437, 2500) at 1 %, (4380, 25000) at 0.1 %. Needs 0 < fpr < 1.

    Refused: even the highest of n hold-outs lies below the true (1-f)-quantile with probability
    (1-f)^n; while this exceeds alpha/4 the two-sided 95 % lower bound of `tpr_claim` is 0 for
    *every* attack. Smallest n with (1-f)^n <= alpha/4: ceil(ln(0.0125) / ln(0.99)) = 437.
    Board: k = f n >= 25 hold-outs above the threshold (section 5.1: true FPR 0.68-1.5 % at 1 %).
    """
    if fpr == 0:
        raise ValueError("fpr: expected 0 < fpr < 1, got 0")
    exact = rate(fpr)
    return TprRule(
        refused_below=math.ceil(math.log(CLAIM_TAIL) / math.log1p(-fpr)),
        board_from=math.ceil(BOARD_FALSE_POSITIVES / exact),
    )


def tpr_quality(n: int, fpr: float = 0.01) -> Literal["refused", "warned", "board"]:
    """What TPR@f is good for with n pairs in the smaller class; `tpr_rule` derives the sizes."""
    rule = tpr_rule(fpr)
    if count(n, "n", at_least=0) < rule.refused_below:
        return "refused"
    return "warned" if n < rule.board_from else "board"
