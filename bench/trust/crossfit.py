"""Cross-fitted logistic regression of many labellings at once, and labellings to compare with.

A labelling is what a split might have been: pairs of one cluster stay on one side, so clusters of
one size are exchanged, and only within a fold, so that folds stay stratified for every labelling.
By the way splits are dealt (`bench.data.splits`) all of these are equally likely, whence a test by
their ranks is exact for a random split, at any n and for any classifier.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Labels = NDArray[np.bool_]
FOLDS = 5
PENALTY = 1.0
STEPS = 40


def folds(is_member: Labels, clusters: Sequence[Sequence[int]], rng: np.random.Generator) -> Ints:
    """The fold of each pair, (n,): clusters stay whole, large ones first, each class balanced."""
    fold = np.empty(len(is_member), dtype=np.int64)
    filled = np.zeros((FOLDS, 2), dtype=np.int64)
    shuffled = [clusters[i] for i in rng.permutation(len(clusters))]
    for cluster in sorted(shuffled, key=len, reverse=True):
        rows = list(cluster)
        members = int(is_member[rows].sum())
        held = np.array([len(rows) - members, members])
        fold[rows] = best = int(np.argmin((filled * held).sum(axis=1)))
        filled[best] += held
    return fold


def labellings(
    is_member: Labels,
    clusters: Sequence[Sequence[int]],
    fold: Ints,
    draws: int,
    rng: np.random.Generator,
) -> Labels:
    """Column 0 as given, then as many others that were equally likely; shape (n, 1 + draws)."""
    unit = np.empty(len(is_member), dtype=np.int64)
    for i, cluster in enumerate(clusters):
        unit[list(cluster)] = 2 * i
    # A cluster on both sides, which no sound split has, is exchanged as its two halves.
    _, first, unit, size = np.unique(
        unit + is_member, return_index=True, return_inverse=True, return_counts=True
    )
    label, place = is_member[first], fold[first]
    alike = [
        np.flatnonzero((place == k) & (size == s)) for k in range(FOLDS) for s in np.unique(size)
    ]
    made = np.empty((len(is_member), 1 + draws), dtype=bool)
    made[:, 0] = is_member
    for column in range(1, 1 + draws):
        drawn = label.copy()
        for units in alike:
            drawn[units] = label[rng.permutation(units)]
        made[:, column] = drawn[unit]
    return made


def cross_fitted(clues: Floats, labels: Labels, fold: Ints) -> Floats:
    """Scores of each pair by the regression fitted on the other folds; as `labels`, (n, b)."""
    scores = np.empty(labels.shape)
    for k in range(FOLDS):
        inside = fold == k
        weights = logistic(clues[~inside], labels[~inside])
        scores[inside] = clues[inside] @ weights[:-1] + weights[-1]
    return scores


def logistic(clues: Floats, labels: Labels) -> Floats:
    """Weights and, last, the intercept of b penalised logistic regressions, (r + 1, b).

    min_w sum log(1 + exp(-y w.x)) + |w|^2 / (2 C), C = 1, by Newton steps with Boehning's bound
    X'X / 4 in place of the Hessian (Boehning 1992): one inverse serves all labellings.
    """
    rows = np.hstack([clues, np.ones((len(clues), 1))])
    # The intercept is all but free.
    penalty = np.append(np.full(clues.shape[1], 1 / PENALTY), 1e-6)
    inverse = np.linalg.inv(rows.T @ rows / 4 + np.diag(penalty))
    weights = np.zeros((rows.shape[1], labels.shape[1]))
    for _ in range(STEPS):
        wrong = 1 / (1 + np.exp(-rows @ weights)) - labels
        weights -= inverse @ (rows.T @ wrong + penalty[:, None] * weights)
    return weights
