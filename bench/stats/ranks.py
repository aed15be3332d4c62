"""Ranks that stay where they are when others come: absolute figures, compared pair by pair.

Everywhere the first axis is the models and the second the replicates of one shared resampling, so
that differences are paired. Nothing is normalised by who else competes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.stats._check import FloatArray

Bools = NDArray[np.bool_]
PAIRWISE = 0.01
"""Two models are told apart where the 99 % interval of their paired difference leaves out 0. Fixed:
a correction for the number of comparisons would move ranks whenever a model is added."""
SURE = 0.975


def lower_frontier(costs: FloatArray, leaks: FloatArray) -> NDArray[np.intp]:
    """Which of the points (F,) no other beats in both: their places, by rising cost."""
    order = np.lexsort((leaks, costs))
    best = np.minimum.accumulate(leaks[order])
    kept: NDArray[np.intp] = order[np.append(True, best[1:] < best[:-1])]
    return kept


def frontier_gains(
    costs: FloatArray, leaks: FloatArray, own_costs: FloatArray, own_leaks: FloatArray
) -> FloatArray:
    """Leak of the undefended frontier at each model's own cost, minus its leak; (R, B).

    `costs` and `leaks` (F, B) are those of the frontier's points, found once by `lower_frontier` on
    the figures as measured; the others (R, B) of the models. Chosen anew in each replicate, the
    lowest of shaken points would lie below the points themselves: a bias against every defense.
    Between points leak lies on a line. Beyond the ends it is that of the end: a model better than
    all undefended ones is held against the best of these, which leaks most.
    """
    there = np.empty_like(own_costs)
    for b in range(own_costs.shape[1]):
        order = np.argsort(costs[:, b])
        there[:, b] = np.interp(own_costs[:, b], costs[order, b], leaks[order, b])
    gains: FloatArray = there - own_leaks
    return gains


def shared_ranks(draws: FloatArray, alpha: float = PAIRWISE) -> list[int]:
    """1 + the number of models that are surely better (higher), from replicates (R, B).

    Models that the pairwise intervals cannot separate share the rank; one that enters moves only
    those that it surely beats.
    """
    return [1 + int(np.count_nonzero((draws > own).mean(axis=1) > 1 - alpha / 2)) for own in draws]


def tiers(
    leaks: FloatArray, costs: FloatArray, leak_margin: float, cost_margin: float
) -> list[int]:
    """Layers of non-dominated models, 1 the best, from replicates (R, B) of two figures.

    a dominates b where it is surely better in one (in 97.5 % of replicates) and in the other not
    worse by more than the margin in the mean.
    """
    over = np.array(
        [
            (_surely_less(leak, leaks) & (cost.mean() - costs.mean(axis=1) <= cost_margin))
            | (_surely_less(cost, costs) & (leak.mean() - leaks.mean(axis=1) <= leak_margin))
            for leak, cost in zip(leaks, costs, strict=True)
        ]
    )
    return _layers(over)


def _surely_less(own: FloatArray, others: FloatArray) -> Bools:
    """Of which others (R, B) a model (B,) is below in almost all replicates, (R,)."""
    below: Bools = (own < others).mean(axis=1) >= SURE
    return below


def _layers(over: Bools) -> list[int]:
    """Layer of each: those dominated by nobody that is left, then without them, and so on."""
    layer = [0] * len(over)
    number = 0
    while 0 in layer:
        number += 1
        left = [i for i, found in enumerate(layer) if not found]
        free = [b for b in left if not over[left, b].any()]
        # Margins make dominance no strict order; a circle is one layer.
        for i in free or left:
            layer[i] = number
    return layer


def pareto(power: Sequence[float], price: Sequence[float]) -> list[bool]:
    """Whether no other is at least as strong for at most the price, and better in one of them."""
    return [
        not any(
            p >= power[i] and q <= price[i] and (p > power[i] or q < price[i])
            for p, q in zip(power, price, strict=True)
        )
        for i in range(len(power))
    ]
