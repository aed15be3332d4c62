"""Chance bands and the smallest leak seen, against simulated audits of unequal sides."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from bench.stats.power import null_auc_band, smallest_auc, smallest_tpr
from bench.stats.worst import Resamples, SeedScores, null_band, worst_case

M, N, ATTACKS, RUNS = 150, 450, 3, 300


@pytest.fixture(scope="module")
def values():
    """(AUC, TPR) of the worst attack by the shift of the first one's members; (RUNS, 2) each."""
    resamples, rng = Resamples.of([(M, N)], replicates=2), np.random.default_rng(1)

    def simulate(shift):
        found = []
        for _ in range(RUNS):
            members, holdouts = rng.standard_normal((ATTACKS, M)), rng.standard_normal((ATTACKS, N))
            members[0] += shift
            worst = worst_case([SeedScores(members, holdouts)], resamples)
            found.append((worst.auc.value, worst.tpr.value))
        return np.array(found)

    return simulate


def test_chance_is_rarely_above_the_band(values):
    auc, tpr = values(0.0).T
    assert np.mean(auc > null_auc_band(M, N, ATTACKS).high) == pytest.approx(0.025, abs=0.025)
    assert np.mean(tpr > null_band(((M, N),), ATTACKS).high) == pytest.approx(0.02, abs=0.03)


def test_the_smallest_leak_is_seen_in_four_of_five(values):
    shift = np.sqrt(2) * ndtri(smallest_auc(M, N, ATTACKS))
    auc, _ = values(shift).T
    assert np.mean(auc > null_auc_band(M, N, ATTACKS).high) == pytest.approx(0.8, abs=0.08)
    shift = ndtri(smallest_tpr(M, N, ATTACKS)) - ndtri(0.01)
    _, tpr = values(shift).T
    assert np.mean(tpr > null_band(((M, N),), ATTACKS).high) == pytest.approx(0.8, abs=0.08)


def test_more_pairs_see_smaller_leaks():
    found = [(smallest_auc(n, n, 5), smallest_tpr(n, n, 5)) for n in (500, 1000, 4000)]
    assert found == sorted(found, reverse=True)
    assert smallest_auc(500, 500, 9) >= smallest_auc(500, 500, 1)


def test_a_class_of_one_is_refused():
    with pytest.raises(ValueError, match="m"):
        null_auc_band(1, 500)
