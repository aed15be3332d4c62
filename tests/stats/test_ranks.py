"""Ranks from paired replicates: absolute, shared where nothing separates, deaf to newcomers."""

from __future__ import annotations

import numpy as np
import pytest

from bench.stats.ranks import (
    frontier_gains,
    lower_frontier,
    pareto,
    shared_ranks,
    tiers,
)


def draws(means, spread=0.01, common=0.05, size=500):
    rng = np.random.default_rng(0)
    shared = rng.normal(scale=common, size=size)
    return np.stack([mean + shared + rng.normal(scale=spread, size=size) for mean in means])


def test_a_frontier_keeps_what_nothing_beats_in_both():
    costs, leaks = np.array([3.0, 2.0, 1.0, 2.0, 4.0]), np.array([6.0, 9.5, 9.0, 5.0, 1.0])
    assert lower_frontier(costs, leaks).tolist() == [2, 3, 4]


def test_between_points_the_leak_lies_on_their_line_and_beyond_the_ends_it_is_theirs():
    costs, leaks = np.array([[3.0], [1.0]]), np.array([[2.0], [8.0]])
    at = np.array([[0.0], [1.0], [2.0], [3.0], [9.0]])
    assert frontier_gains(costs, leaks, at, 0 * at)[:, 0].tolist() == [8, 8, 5, 2, 2]


def test_a_model_on_the_frontier_gains_nothing_and_one_below_it_what_it_leaks_less():
    costs, leaks = np.array([[1.0], [3.0]]), np.array([[8.0], [2.0]])
    gains = frontier_gains(costs, leaks, np.array([[2.0], [2.0]]), np.array([[5.0], [1.5]]))
    assert gains[:, 0].tolist() == [0.0, 3.5]


def test_replicates_of_a_gain_do_not_lie_below_it_for_being_shaken():
    """The lowest of shaken points would lie lower than the points do."""
    rng = np.random.default_rng(0)
    costs = np.repeat(np.linspace(1.0, 2.0, 11)[:, None], 4000, axis=1)
    leaks = 5.0 + rng.normal(size=costs.shape)
    at = np.full((1, 4000), 1.5)
    assert abs(frontier_gains(costs, leaks, at, at).mean() - 3.5) < 0.05
    again = [lower_frontier(costs[:, b], leaks[:, b]) for b in range(4000)]
    lowest = [np.interp(1.5, costs[kept, 0], leaks[kept, b]) for b, kept in enumerate(again)]
    assert np.mean(lowest) - 1.5 < 3.0


def test_paired_replicates_separate_what_single_intervals_do_not():
    found = draws([0.30, 0.26, 0.10])
    alone = [np.quantile(one, [0.005, 0.995]) for one in found]
    assert alone[0][0] < alone[1][1]  # these overlap
    assert shared_ranks(found) == [2, 2, 3] or shared_ranks(found) == [1, 2, 3]
    assert shared_ranks(draws([0.30, 0.26, 0.10], spread=0.002)) == [1, 2, 3]
    assert shared_ranks(draws([0.30, 0.30, 0.10])) == [1, 1, 3]


def test_a_model_that_enters_moves_only_those_that_it_surely_beats():
    before = draws([0.30, 0.25, 0.24])
    ranks = shared_ranks(before)
    weak = before[2] - 0.2
    assert shared_ranks(np.vstack([before, weak]))[:3] == ranks
    strong = before[0] + 0.2
    assert shared_ranks(np.vstack([before, strong]))[:3] == [rank + 1 for rank in ranks]


def test_tiers_are_layers_of_models_that_none_surely_beats_in_both():
    leaks = draws([0.10, 0.30, 0.30, 0.32], common=0)
    costs = draws([0.50, 0.10, 0.50, 0.60], common=0)
    assert tiers(leaks, costs, 0.01, 0.01) == [1, 1, 2, 3]


def test_a_circle_of_dominance_is_one_layer():
    # Within margins each beats the next one surely in one figure.
    leaks = np.array([[0.100], [0.101], [0.102]]) + np.zeros((3, 50))
    costs = np.array([[0.102], [0.101], [0.100]]) + np.zeros((3, 50))
    assert len(set(tiers(leaks, costs, 0.01, 0.01))) == 1


@pytest.mark.parametrize(
    ("power", "price", "front"),
    [
        ([5, 4, 3], [3, 2, 1], [True, True, True]),
        ([5, 4, 3], [1, 2, 3], [True, False, False]),
        ([5, 5], [1, 1], [True, True]),
    ],
)
def test_the_front_is_what_no_other_beats_for_as_few_queries(power, price, front):
    assert pareto(power, price) == front
