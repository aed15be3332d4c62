"""Scores with a known truth: members N(d, 1), hold-outs N(0, 1)."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from bench import stats

Scores = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int, int, float], tuple[Scores, Scores]]
Truth = Callable[[float, float], float]
Bootstrap = Callable[[Scores, Scores, float, int, np.random.Generator], Scores]


@pytest.fixture(scope="session")
def binormal() -> Draw:
    """draw(rng, m, n, auc): scores whose true AUC is `auc`, so d = sqrt(2) ndtri(auc)."""

    def draw(rng: np.random.Generator, m: int, n: int, auc: float) -> tuple[Scores, Scores]:
        return rng.normal(np.sqrt(2) * ndtri(auc), 1, m), rng.normal(0, 1, n)

    return draw


@pytest.fixture(scope="session")
def true_tpr() -> Truth:
    """True TPR@f of those scores: Phi(d - Phi^-1(1 - f))."""
    return lambda auc, fpr: float(ndtr(np.sqrt(2) * ndtri(auc) - ndtri(1 - fpr)))


@pytest.fixture(scope="session")
def explicit_bootstrap() -> Bootstrap:
    """TPR@f by the definition: draw with replacement in each class, compute, repeat."""

    def draws(
        members: Scores, holdouts: Scores, fpr: float, size: int, rng: np.random.Generator
    ) -> Scores:
        m, n = members.size, holdouts.size
        resamples = ((rng.choice(members, m), rng.choice(holdouts, n)) for _ in range(size))
        return np.array([stats.tpr_at_fpr(*resample, fpr) for resample in resamples])

    return draws
