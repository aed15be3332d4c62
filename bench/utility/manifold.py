"""Improved precision and recall (Kynkaanniemi et al. 2019, arXiv 1904.06991).

Precision: the share of samples that lie where real pictures do. Recall: the share of real pictures
that lie where samples do. Where a set lies is the union of balls around its points, each as wide as
the distance to the point's k-th nearest neighbour in the set. Both depend on n: equal n only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
NEIGHBOURS = 3
"""k of the paper, and of nearly all figures published since."""
ROWS = 1000
"""Rows of a distance matrix that are held at once: 10,000 pictures would need 800 MB for all."""


class Overlap(NamedTuple):
    """Two shares; no interval, since a resampled set has neighbours at distance 0."""

    precision: float
    recall: float


def overlap(real: FloatArray, fake: FloatArray, k: int = NEIGHBOURS) -> Overlap | None:
    """Precision and recall of `fake`; None where a set has no k-th neighbour to measure with."""
    if min(len(real), len(fake)) <= k:
        return None
    return Overlap(_share_within(real, fake, k), _share_within(fake, real, k))


def _share_within(around: FloatArray, points: FloatArray, k: int) -> float:
    """Share of points in a ball around at least one of the others; its border belongs to it."""
    from scipy.spatial.distance import cdist

    found = np.zeros(len(points), dtype=bool)
    for start in range(0, len(around), ROWS):
        centres = around[start : start + ROWS]
        # The nearest of all is the centre itself.
        radii = np.partition(cdist(centres, around), k, axis=1)[:, k]
        found |= (cdist(centres, points) <= radii[:, None]).any(axis=0)
    return float(found.mean())
