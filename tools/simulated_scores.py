"""Scores of attacks with a known truth: hold-outs N(0, 1), members lifted by d."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri  # type: ignore[import-untyped,unused-ignore]

from bench.stats.worst import FPR, SeedScores

SIZES = [(500, 500)] * 3
"""Members and hold-outs of three trainings."""
Scores = NDArray[np.float64]


def lift(auc: float) -> float:
    """The lift that gives this AUC."""
    return float(math.sqrt(2) * ndtri(auc))


def true_tpr(d: Any) -> Any:
    """True TPR@1%FPR of members lifted by d."""
    return ndtr(d - ndtri(1 - FPR))


def attacked(
    rng: np.random.Generator, lifts: Sequence[float], spread: float = 0.0
) -> list[SeedScores]:
    """Three trainings; attack a lifts members by lifts[a], all of a training by N(0, spread)."""
    found = []
    for m, n in SIZES:
        own = np.array(lifts)[:, None] + spread * rng.standard_normal()
        found.append(
            SeedScores(own + rng.normal(size=(len(lifts), m)), rng.normal(size=(len(lifts), n)))
        )
    return found


def correlated(
    rng: np.random.Generator, first: float, second: float, n: int, rho: float = 0.8
) -> tuple[tuple[Scores, Scores], tuple[Scores, Scores]]:
    """Scores of members and hold-outs in two runs, members lifted by `first` and `second`."""
    one, own = rng.normal(size=(2, n)), rng.normal(size=(2, n))
    other = rho * one + math.sqrt(1 - rho**2) * own
    return (one[0] + first, one[1]), (other[0] + second, other[1])
