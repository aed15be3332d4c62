"""Thresholds, chance levels and the sizes that TPR@f needs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import balanced_accuracy_score

from bench import stats

few_values = arrays(np.float64, st.integers(1, 30), elements=st.integers(-4, 4))


@pytest.mark.parametrize(("n", "percent"), [(100, 1.98), (417, 1.20), (1000, 1.10), (2500, 1.04)])
def test_null_tpr_of_the_rules_table(n, percent):
    assert 100 * stats.null_tpr(n) == pytest.approx(percent, abs=0.005)


def test_null_tpr_is_what_no_signal_gives():
    rng = np.random.default_rng(1)
    measured = [stats.tpr_at_fpr(*rng.random((2, 100)), 0.05) for _ in range(4000)]
    error = np.std(measured) / math.sqrt(4000)
    assert abs(np.mean(measured) - stats.null_tpr(100, 0.05)) < 4 * error
    assert abs(np.mean(measured) - 0.05) > 4 * error  # the nominal rate is not the chance level


def test_the_allowed_count_is_exact():
    for fpr, n in [(0.29, 100), (0.57, 100), (0.01, 700), (0.001, 5000), (0.07, 100)]:
        assert stats.null_tpr(n, fpr) == (round(fpr * n) + 1) / (n + 1)
    assert stats.null_tpr(199) == 2 / 200


def test_conformal_threshold_is_the_order_statistic_and_keeps_its_promise():
    assert stats.conformal_threshold(np.arange(1, 100)[::-1], 0.01) == 99
    assert stats.conformal_threshold(np.arange(1, 100), 0.05) == 95
    assert stats.conformal_threshold(np.arange(98), 0.01) == math.inf
    rng = np.random.default_rng(0)
    fresh = [rng.random() > stats.conformal_threshold(rng.random(59), 0.05) for _ in range(6000)]
    assert np.mean(fresh) < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 6000)
    assert np.mean(fresh) > 0.04  # floor(0.05 * 60) / 60 = 0.05: valid and not wasteful


def test_accuracy_is_balanced_and_strict(binormal):
    scores = [s.round(1) for s in binormal(np.random.default_rng(3), 230, 310, 0.7)]
    truth, score = np.repeat([True, False], [230, 310]), np.concatenate(scores)
    for threshold in (0.0, 1.0, 0.4, -math.inf, math.inf):
        expected = balanced_accuracy_score(truth, score > threshold)
        assert stats.accuracy(*scores, threshold) == pytest.approx(expected, abs=1e-15)
    assert stats.accuracy([1, 2], [1, 0], 1) == 0.75


@given(few_values, few_values)
def test_best_threshold_is_best_finite_and_the_highest_of_its_equals(members, holdouts):
    threshold = stats.best_threshold(members, holdouts)
    assert math.isfinite(threshold)
    scores = np.r_[members, holdouts]
    best, called = stats.accuracy(members, holdouts, threshold), (scores > threshold).sum()
    for other in np.arange(-5, 5, 0.5):
        accuracy = stats.accuracy(members, holdouts, other)
        assert accuracy < best + 1e-12
        assert accuracy < best - 1e-12 or (scores > other).sum() >= called


def test_best_threshold_by_hand():
    assert stats.best_threshold([3, 5], [0, 2]) == 2.5
    assert stats.best_threshold([0, 1], [2, 3]) == 3  # inverted: nobody, at 50 %
    assert stats.best_threshold([1, 1], [1]) == 1
    low = np.nextafter(1.0, 2)  # neighbours, whose rounded middle is the upper one
    high = np.nextafter(low, 2)
    assert stats.accuracy([high], [low], stats.best_threshold([high], [low])) == 1
    assert 1.6e308 < stats.best_threshold([1.7e308], [1.6e308]) < 1.7e308  # their sum overflows


@pytest.mark.parametrize(("fpr", "rule"), [(0.01, (437, 2500)), (0.001, (4380, 25000))])
def test_tpr_quality_follows_the_rule(fpr, rule):
    refused, board = stats.tpr_rule(fpr)
    assert (refused, board) == rule
    quality = [stats.tpr_quality(n, fpr) for n in (0, refused - 1, refused, board - 1, board)]
    assert quality == ["refused", "refused", "warned", "warned", "board"]


def test_other_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="^fpr: expected 0 < fpr < 1"):
        stats.tpr_rule(0)
    with pytest.raises(ValueError, match="^threshold: is NaN"):
        stats.accuracy([1.0], [0.0], math.nan)
    with pytest.raises(ValueError, match="^n: expected at least 1, got 0"):
        stats.null_tpr(0)
    with pytest.raises(ValueError, match=r"^n: expected a whole number, got 2\.5"):
        stats.null_tpr(2.5)
