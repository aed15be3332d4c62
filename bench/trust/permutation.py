"""Label permutation: with membership dealt anew the same scores must give chance.

It looks at the figures' own arithmetic (ties, class sizes, which side counts as positive): the AUC
from mid-ranks must be one half on average, and that of the row the same as from mid-ranks. The
observed AUC's rank among the permuted ones is a p-value beside its interval.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.rng import generator
from bench.stats.roc import auc, midranks
from bench.trust.gate import Gate

DRAWS = 200
MORE = 2_000
STANDARD_ERRORS = 3.0
SAME = 1e-9


def permutation_gate(scores: ArrayLike, is_member: ArrayLike, seed: int = 0) -> Gate:
    """Passed iff the mean AUC over permutations is .5 within 3 standard errors; scores (n,).

    And iff the row's AUC is what the permuted ones are made like, to 1e-9.

    One run in 370 is off by chance; 2,000 other permutations then decide, so that a board of
    hundreds of rows fails none by chance, while an error of the figures stays.
    """
    values, labels = np.asarray(scores, dtype=np.float64), np.asarray(is_member, dtype=bool)
    observed = auc(values[labels], values[~labels])
    areas = permuted_aucs(values, labels, DRAWS, generator("permutation", seed))
    p_value = (1 + int((areas >= observed).sum())) / (1 + DRAWS)
    if not _chance(areas):
        areas = permuted_aucs(values, labels, MORE, generator("permutation", seed, "more"))
    figures = {
        "auc": observed,
        "p": p_value,
        "mean": float(areas.mean()),
        "sd": float(areas.std(ddof=1)),
        "draws": len(areas),
    }
    alike = abs(_areas(midranks(values), labels[None])[0] - observed) <= SAME
    return Gate("label permutation", alike and _chance(areas), figures)


def permuted_aucs(
    scores: NDArray[np.float64],
    is_member: NDArray[np.bool_],
    draws: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """AUC for `draws` permutations of the labels, (draws,): from mid-ranks, as `stats.auc`."""
    return _areas(midranks(scores), rng.permuted(np.tile(is_member, (draws, 1)), axis=1))


def _areas(ranks: NDArray[np.float64], labels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mann-Whitney's statistic for each row of labels (draws, n)."""
    m, n = int(labels[0].sum()), int((~labels[0]).sum())
    return np.asarray((labels @ ranks - m * (m + 1) / 2) / (m * n))


def _chance(areas: NDArray[np.float64]) -> bool:
    error = float(areas.std(ddof=1)) / np.sqrt(len(areas))
    # Where all scores are equal every AUC is one half, but for rounding.
    return bool(abs(float(areas.mean()) - 0.5) <= STANDARD_ERRORS * error + 1e-12)
