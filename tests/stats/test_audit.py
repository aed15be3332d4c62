"""Empirical lower bounds on epsilon: what holds for any attack, and what must not be claimed."""

import math

import numpy as np
import pytest

from bench import stats


def test_a_perfect_attack_on_many_pairs():
    """No error among 250 + 250 tested: both rates are bounded by the exact binomial."""
    found = stats.epsilon_lower_bound(np.ones(500), np.zeros(500))
    q = 0.025 ** (1 / 250)
    assert (found.tpr_low, found.fpr_high) == pytest.approx((q, 1 - q), abs=1e-12)
    assert found.value == pytest.approx(math.log(q / (1 - q)), abs=1e-9)


def test_randomised_response_is_bounded_by_its_epsilon():
    """An attack that says the truth with probability e^eps / (1 + e^eps) leaks exactly eps."""
    rng, epsilon, n = np.random.default_rng(0), 1.5, 20_000
    right = math.exp(epsilon) / (1 + math.exp(epsilon))
    scores = rng.random(n) < right, rng.random(n) >= right
    found = stats.epsilon_lower_bound(*(s.astype(float) for s in scores))
    assert 1.3 < found.value < epsilon


def test_delta_takes_its_share():
    without = stats.epsilon_lower_bound(np.ones(500), np.zeros(500))
    assert stats.epsilon_lower_bound(np.ones(500), np.zeros(500), delta=0.5).value < without.value


def test_what_leaks_by_its_hold_outs_counts_too():
    """No member among the lowest third: the second inequality finds it, the first hardly."""
    rng = np.random.default_rng(1)
    members, holdouts = rng.uniform(1, 3, 6000), rng.uniform(0, 3, 6000)
    assert stats.epsilon_lower_bound(members, holdouts).value > 2


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="delta: expected 0 <= delta < 1, got 1"):
        stats.epsilon_lower_bound([1, 2], [0, 1], delta=1)
    with pytest.raises(ValueError, match="at least 2 each"):
        stats.epsilon_lower_bound([1], [0, 1])


def test_same_seed_same_bound():
    rng = np.random.default_rng(2)
    scores = rng.normal(1, 1, 200), rng.normal(0, 1, 200)
    assert stats.epsilon_lower_bound(*scores, rng=3) == stats.epsilon_lower_bound(*scores, rng=3)


@pytest.mark.slow
@pytest.mark.parametrize("n", [417, 1000])
def test_under_epsilon_zero_a_positive_bound_is_as_rare_as_promised(n):
    rng = np.random.default_rng(n)
    runs = [
        stats.epsilon_lower_bound(rng.normal(size=n), rng.normal(size=n), rng=i).value > 0
        for i in range(600)
    ]
    assert np.mean(runs) <= 0.05
