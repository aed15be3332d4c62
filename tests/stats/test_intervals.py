"""Intervals against definitions, brute force and exact enumeration; coverage is in its own file."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom, binomtest

from bench import stats
from bench.stats.intervals import _tpr_replicates, placements

few_values = arrays(np.float64, st.integers(1, 30), elements=st.integers(-4, 4))


def brute_force_delong(members, holdouts):
    """V10 and V01 from the (m, n) matrix of all comparisons (DeLong et al. 1988)."""
    psi = (members[:, None] > holdouts) + (members[:, None] == holdouts) / 2
    return psi.mean(axis=1), psi.mean(axis=0)


@given(few_values, few_values)
def test_placements_are_delongs_components(members, holdouts):
    for fast, slow in zip(
        placements(members, holdouts), brute_force_delong(members, holdouts), strict=True
    ):
        np.testing.assert_allclose(fast, slow, atol=1e-14)


@pytest.mark.parametrize("decimals", [16, 1, 0])
def test_auc_interval_is_delong_on_the_logit_scale(binormal, decimals):
    members, holdouts = (
        s.round(decimals) for s in binormal(np.random.default_rng(2), 120, 90, 0.8)
    )
    v10, v01 = brute_force_delong(members, holdouts)
    area = v10.mean()
    error = math.sqrt(v10.var(ddof=1) / 120 + v01.var(ddof=1) / 90) / (area * (1 - area))
    centre = math.log(area / (1 - area))
    ends = [1 / (1 + math.exp(-centre - z * error)) for z in (-1.959963985, 1.959963985)]
    estimate = stats.auc_interval(members, holdouts)
    assert estimate.method == "delong"
    assert estimate[:3] == pytest.approx((area, *ends), abs=1e-9)


@given(few_values, few_values)
@settings(max_examples=60, deadline=None)
def test_every_interval_holds_its_value_and_stays_in_the_unit_range(members, holdouts):
    estimates = [
        (stats.auc_interval(members, holdouts), stats.auc(members, holdouts)),
        (stats.asr_interval(members, holdouts, 0.5), stats.accuracy(members, holdouts, 0.5)),
    ]
    for fpr in (0.0, 0.1, 0.5):
        value = stats.tpr_at_fpr(members, holdouts, fpr)
        estimates.append((stats.tpr_interval(members, holdouts, fpr, replicates=50), value))
        estimates.append((stats.tpr_claim(members, holdouts, fpr), value))
    for estimate, value in estimates:
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
        assert estimate.value == pytest.approx(value, abs=1e-15)
        assert estimate.high - estimate.low > 0  # a finite sample never proves a figure


@given(few_values, few_values)
def test_auc_interval_mirrors_when_the_classes_change_places(members, holdouts):
    one, other = stats.auc_interval(members, holdouts), stats.auc_interval(holdouts, members)
    assert (1 - other.value, 1 - other.high, 1 - other.low) == pytest.approx(one[:3], abs=1e-12)
    assert one.method == other.method


def test_auc_without_variance_claims_what_disjoint_pairs_allow():
    perfect = stats.auc_interval(np.ones(500), np.zeros(700))
    assert perfect[:4] == (1, pytest.approx(0.025 ** (1 / 500)), 1, "disjoint-pairs")
    assert 0.990 < perfect.low < 0.994
    inverted = stats.auc_interval(np.zeros(500), np.ones(700))
    assert inverted[:3] == pytest.approx((0, 0, 1 - perfect.low))
    tied = stats.auc_interval(np.ones(500), np.ones(700))
    assert tied[:3] == pytest.approx((0.5, perfect.low / 2, 1 - perfect.low / 2))
    assert stats.auc_interval([1], [0, 2])[:4] == (0.5, 0, 1, "vacuous")


@pytest.mark.parametrize("decimals", [16, 1])
def test_tpr_interval_is_the_stratified_percentile_bootstrap(
    binormal, explicit_bootstrap, decimals
):
    members, holdouts = (
        s.round(decimals) for s in binormal(np.random.default_rng(5), 150, 200, 0.8)
    )
    estimate = stats.tpr_interval(members, holdouts, 0.05, replicates=200_000)
    draws = explicit_bootstrap(members, holdouts, 0.05, 6_000, np.random.default_rng(6))
    # 6,000 draws place the level of each end within +-4 standard errors of 2.5 %.
    slack = 4 * math.sqrt(0.025 * 0.975 / 6_000)
    assert np.mean(draws < estimate.low) <= 0.025 + slack
    assert np.mean(draws <= estimate.low) >= 0.025 - slack
    assert np.mean(draws > estimate.high) <= 0.025 + slack
    assert np.mean(draws >= estimate.high) >= 0.025 - slack


def test_tpr_replicates_have_the_mean_of_all_possible_resamples():
    members, holdouts = np.array([0.5, 1.5, 1.5, 2.5, 3.5, 3.5]), np.array([1.0, 2.0, 3.0])
    every = [stats.tpr_at_fpr(members, h, 0.4) for h in itertools.product(holdouts, repeat=3)]
    above = np.array([2, 3, 5])  # members over the highest hold-out, the second, the third
    draws = _tpr_replicates(above, m=6, k=1, replicates=100_000, rng=0)
    assert draws.mean() == pytest.approx(np.mean(every), abs=4 * draws.std() / math.sqrt(100_000))


def test_tpr_interval_is_wider_than_the_shortcut_and_never_empty(binormal):
    members, holdouts = binormal(np.random.default_rng(5), 2500, 2500, 0.75)
    estimate = stats.tpr_interval(members, holdouts)
    fixed = stats.clopper_pearson(round(estimate.value * 2500), 2500)
    assert estimate.high - estimate.low > 1.8 * (fixed.high - fixed.low)
    perfect = stats.tpr_interval(np.ones(500), np.zeros(500))
    assert perfect[:3] == (1, pytest.approx(0.025 ** (1 / 500)), 1)


def test_tpr_interval_repeats_by_seed_and_takes_a_generator(binormal):
    scores = binormal(np.random.default_rng(5), 600, 600, 0.75)
    assert stats.tpr_interval(*scores) == stats.tpr_interval(*scores)
    assert stats.tpr_interval(*scores, rng=4) == stats.tpr_interval(
        *scores, rng=np.random.default_rng(4)
    )
    assert stats.tpr_interval(*scores, rng=4) != stats.tpr_interval(*scores, rng=5)


@pytest.mark.parametrize(("fpr", "first"), [(0.01, 437), (0.001, 4380)])
def test_below_the_refusal_line_no_attack_whatever_gets_a_lower_bound(fpr, first):
    assert first == stats.tpr_rule(fpr).refused_below
    perfect = [stats.tpr_claim(np.ones(9999), np.zeros(n), fpr).low for n in (1, first - 1, first)]
    assert perfect[:2] == [0, 0]
    assert perfect[2] > 0.99


def test_tpr_claim_is_the_rectangle_of_binomial_tails(binormal):
    members, holdouts = binormal(np.random.default_rng(8), 800, 1000, 0.8)
    falling = np.sort(holdouts)[::-1]
    # P(FPR of the (k+1)-th highest > f) = P(Bin(n, f) <= k)
    strict = max(k for k in range(1000) if binom.cdf(k, 1000, 0.01) <= 0.0125)
    loose = min(k for k in range(1000) if binom.sf(k, 1000, 0.01) <= 0.0125)
    assert strict < 10 < loose
    hits = [int((members > falling[k]).sum()) for k in (strict, loose)]
    low = binomtest(hits[0], 800).proportion_ci(0.975, "exact").low
    high = binomtest(hits[1], 800).proportion_ci(0.975, "exact").high
    value = stats.tpr_at_fpr(members, holdouts)
    estimate = stats.tpr_claim(members, holdouts)
    assert estimate[:3] == pytest.approx((value, low, high), abs=1e-12)
    assert stats.tpr_claim([1.0, 2.0], [0.0, 3.0]).high == 1


@pytest.mark.parametrize(("caught", "spared"), [(0.5, 0.5), (0.6, 0.7), (0.9, 0.6), (0.97, 0.97)])
def test_asr_interval_covers_by_enumeration(caught, spared):
    m, n = 40, 60
    truth, coverage = (caught + spared) / 2, 0.0
    weight = np.outer(binom.pmf(range(m + 1), m, caught), binom.pmf(range(n + 1), n, spared))
    for k, j in zip(*np.nonzero(weight > 1e-6), strict=True):
        members, holdouts = np.arange(m) < k, np.arange(n) >= j
        estimate = stats.asr_interval(members.astype(float), holdouts.astype(float), 0.5)
        coverage += weight[k, j] * (estimate.low <= truth <= estimate.high)
    assert 0.92 <= coverage <= 0.98


def test_higher_levels_give_wider_intervals(binormal):
    scores = binormal(np.random.default_rng(1), 600, 500, 0.7)
    for interval in (stats.auc_interval, stats.tpr_interval, stats.tpr_claim):
        wide, narrow = interval(*scores, level=0.99), interval(*scores, level=0.8)
        assert wide.low < narrow.low < narrow.high < wide.high
        assert (wide.level, narrow.level) == (0.99, 0.8)


def test_bad_arguments_are_named():
    bad_level = pytest.raises(ValueError, match="^level: expected 0 < level < 1")
    for interval in (stats.auc_interval, stats.tpr_interval, stats.tpr_claim):
        with pytest.raises(ValueError, match="^holdouts: 1 of 2 scores"):
            interval([1.0], [0.0, math.nan])
        with bad_level:
            interval([1.0], [0.0], level=95)
    with pytest.raises(ValueError, match="^threshold: is NaN"):
        stats.asr_interval([1.0], [0.0], math.nan)
    with pytest.raises(ValueError, match="^replicates: expected at least 1"):
        stats.tpr_interval([1.0], [0.0], replicates=0)


def test_importing_the_statistics_loads_nothing_heavy():
    code = "import sys, bench.stats; print({'scipy.stats', 'torch', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
