"""Binomial intervals against scipy; means over seeds against the bootstrap they stand for."""

import numpy as np
import pytest
from scipy.stats import binomtest

from bench import stats


def test_clopper_pearson_and_wilson_equal_scipy():
    for k, n in [(0, 1), (0, 30), (3, 30), (15, 30), (30, 30), (25, 2500), (2500, 2500)]:
        for level in (0.9, 0.95, 0.975):
            exact = binomtest(k, n).proportion_ci(level, "exact")
            ours = stats.clopper_pearson(k, n, 1 - level)
            assert ours[:3] == pytest.approx((k / n, exact.low, exact.high), abs=1e-12)
            assert ours.level == pytest.approx(level)
            score = binomtest(k, n).proportion_ci(level, "wilson")
            assert stats.wilson(k, n, level)[1:3] == pytest.approx(score[:2], abs=1e-12)


def test_mean_over_seeds_agrees_with_the_bootstrap_of_the_mean(binormal, explicit_bootstrap):
    rng = np.random.default_rng(9)
    seeds = [binormal(rng, 500, 500, 0.8) for _ in range(3)]
    estimates = [stats.tpr_interval(*s, 0.05) for s in seeds]
    mean, seed_sd = stats.mean_over_seeds(estimates)
    values = [e.value for e in estimates]
    assert mean.value == pytest.approx(np.mean(values))
    assert seed_sd == pytest.approx(np.std(values, ddof=1))
    assert mean.method == "mover(bootstrap)"
    draws = np.mean([explicit_bootstrap(*s, 0.05, 1500, rng) for s in seeds], axis=0)
    low, high = np.quantile(draws, [0.025, 0.975])
    assert mean.high - mean.low == pytest.approx(high - low, rel=0.1)
    assert mean[1:3] == pytest.approx((low, high), abs=0.1 * (high - low))


def test_mean_over_seeds_shrinks_keeps_one_seed_and_survives_perfection():
    one = stats.Estimate(0.6, 0.5, 0.7, "delong")
    assert stats.mean_over_seeds([one]) == (one, None)
    mean, seed_sd = stats.mean_over_seeds([one] * 4)
    assert mean[:3] == pytest.approx((0.6, 0.55, 0.65))
    assert seed_sd == 0
    perfect = stats.auc_interval(np.ones(500), np.zeros(500))
    mean, _ = stats.mean_over_seeds([perfect] * 3)
    assert perfect.low < mean.low < mean.value == mean.high == 1


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="^k: expected at most n = 3"):
        stats.clopper_pearson(4, 3)
    with pytest.raises(ValueError, match="^alpha: "):
        stats.clopper_pearson(1, 3, 0)
    with pytest.raises(ValueError, match="^estimates: none given"):
        stats.mean_over_seeds([])
    mixed = [stats.wilson(1, 3, 0.9), stats.wilson(1, 3)]
    with pytest.raises(ValueError, match="different levels"):
        stats.mean_over_seeds(mixed)
