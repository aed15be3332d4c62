"""The regression against scikit-learn's, and which labellings a split is compared with."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from bench.rng import generator
from bench.trust.crossfit import FOLDS, cross_fitted, folds, labellings, logistic

RNG = generator("crossfit")
GROUPS = [[0, 1, 2, 3], [4, 5], [6, 7], *([i] for i in range(8, 60))]


def labels_by_cluster(rng):
    is_member = np.zeros(60, dtype=bool)
    for group in GROUPS:
        is_member[group] = rng.random() < 0.5
    return is_member


@pytest.mark.parametrize("scale", [0.1, 0.5])
def test_many_regressions_at_once_are_those_of_scikit_learn(scale):
    clues = RNG.normal(0, scale, (200, 12))
    labels = RNG.random((200, 3)) < 1 / (1 + np.exp(-clues[:, :1]))
    weights = logistic(clues, labels)
    for column, found in enumerate(weights.T):
        other = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000)
        other.fit(clues, labels[:, column])
        assert found[:-1] == pytest.approx(other.coef_[0], abs=2e-4)
        assert found[-1] == pytest.approx(other.intercept_[0], abs=2e-4)


def test_a_pair_is_scored_by_the_other_folds_only():
    """Whoever's clue and label are changed, the scores of its own fold's other pairs stay."""
    clues, labels = RNG.normal(size=(60, 4)), RNG.random((60, 2)) < 0.5
    fold = np.arange(60) % FOLDS
    before = cross_fitted(clues, labels, fold)
    clues[0] += 5
    labels[0] = ~labels[0]
    after = cross_fitted(clues, labels, fold)
    own = (fold == 0) & (np.arange(60) > 0)
    assert np.array_equal(before[own], after[own])
    assert not np.isclose(before[fold != 0], after[fold != 0]).any()


def test_folds_keep_clusters_whole_and_classes_balanced():
    for seed in range(20):
        rng = generator("folds", seed)
        is_member = labels_by_cluster(rng)
        fold = folds(is_member, GROUPS, rng)
        assert all(len(set(fold[group])) == 1 for group in GROUPS)
        for side in (is_member, ~is_member):
            counts = np.bincount(fold[side], minlength=FOLDS)
            assert np.ptp(counts) <= 4


def test_labellings_exchange_clusters_of_one_size_within_a_fold():
    is_member = labels_by_cluster(RNG)
    fold = folds(is_member, GROUPS, RNG)
    made = labellings(is_member, GROUPS, fold, 50, RNG)
    assert np.array_equal(made[:, 0], is_member)
    assert len(np.unique(made, axis=1).T) > 40
    for column in made.T:
        assert all(len(set(column[group])) == 1 for group in GROUPS)
        for k in range(FOLDS):
            assert column[fold == k].sum() == is_member[fold == k].sum()


def test_a_cluster_on_both_sides_is_exchanged_as_its_halves():
    is_member = np.arange(20) % 2 == 0
    groups = [[0, 1], *([i] for i in range(2, 20))]
    fold = folds(is_member, groups, RNG)
    made = labellings(is_member, groups, fold, 50, RNG)
    assert (made.sum(axis=0) == 10).all()
    assert (made[0] != made[1]).any()
    assert (made[0] == made[1]).any()
