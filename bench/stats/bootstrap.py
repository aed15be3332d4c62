"""Resamples of pairs as counts, shared by all figures of the same pairs.

One draw of members and hold-outs serves every attack, view and run on them: what is compared or
maximised inside a replicate has seen the same pairs.
"""

import numpy as np
from numpy.typing import NDArray

from bench.stats._check import FloatArray, IntArray
from bench.stats.roc import allowed_false_positives

Counts = NDArray[np.uint8]
"""How often each pair was drawn in each replicate, (B, n)."""


def half(n: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which of n pairs are in a random half, (n,)."""
    inside = np.zeros(n, dtype=bool)
    inside[rng.permutation(n)[: n // 2]] = True
    return inside


def resample(n: int, replicates: int, rng: np.random.Generator) -> Counts:
    """`replicates` draws of n from n pairs with replacement, (B, n)."""
    drawn = rng.integers(0, n, (replicates, n))
    drawn += n * np.arange(replicates)[:, None]
    # A pair drawn 256 times from n >= 256 has probability below 1e-500.
    return np.bincount(drawn.ravel(), minlength=replicates * n).reshape(-1, n).astype(np.uint8)


def resampled_tpr(
    members: FloatArray, holdouts: FloatArray, m_counts: Counts, n_counts: Counts, fpr: float
) -> FloatArray:
    """TPR@f of every replicate, (B,): `tpr_at_fpr` of the scores repeated by their counts."""
    k = allowed_false_positives(holdouts.size, fpr)
    falling = np.argsort(-holdouts, kind="stable")
    place = _reached(n_counts, falling, k)
    rising = np.sort(members)
    above = members.size - np.searchsorted(rising, holdouts[falling], side="right")
    order = np.argsort(-members, kind="stable")
    most = int(above[place].max(initial=0))
    caught = np.zeros((len(m_counts), most + 1), dtype=np.int64)
    np.cumsum(m_counts[:, order[:most]], axis=1, out=caught[:, 1:])
    rows = np.arange(len(m_counts))
    shares: FloatArray = caught[rows, above[place]] / members.size
    return shares


def resampled_auc(
    members: FloatArray, holdouts: FloatArray, m_counts: Counts, n_counts: Counts
) -> FloatArray:
    """AUC of every replicate, (B,): `auc` of the scores repeated by their counts."""
    rising = np.argsort(holdouts, kind="stable")
    below = np.zeros((len(n_counts), holdouts.size + 1), dtype=np.int32)
    np.cumsum(n_counts[:, rising], axis=1, out=below[:, 1:])
    left, right = (np.searchsorted(holdouts[rising], members, side) for side in ("left", "right"))
    beaten = np.einsum("bm,bm->b", m_counts, below[:, left] + below[:, right], dtype=np.int64)
    areas: FloatArray = beaten / (2 * members.size * holdouts.size)
    return areas


def _reached(counts: Counts, falling: IntArray, k: int) -> IntArray:
    """Where, from the highest on, each replicate's (k+1)-th hold-out sits, (B,)."""
    n = falling.size
    # Rarely beyond: a prefix of these many holds fewer than k + 1 draws once in 1e6 replicates.
    width = min(n, int(k + 1 + 6 * np.sqrt(k + 1) + 12))
    while True:
        sums = np.cumsum(counts[:, falling[:width]], axis=1, dtype=np.int32)
        if width == n or (sums[:, -1] > k).all():
            place: IntArray = np.argmax(sums > k, axis=1)
            return place
        width = min(n, 2 * width)
