"""Differences of runs on the same pairs, against definitions and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import ndtr, ndtri

from bench import stats
from bench.stats.bootstrap import resample, resampled_tpr


def two_runs(rng, n, shifts, shared=0.9):
    """Binormal runs whose scores correlate, as those of two attacks on the same pairs do."""
    common = rng.normal(0, 1, 2 * n)
    runs = []
    for shift in shifts:
        own = shared * common + math.sqrt(1 - shared**2) * rng.normal(0, 1, 2 * n)
        runs.append((own[:n] + shift, own[n:]))
    return runs


def brute_force_paired_delong(first, second):
    """Difference and its standard error from the (m, n) matrices of all comparisons."""
    psi = [(x[:, None] > y) + (x[:, None] == y) / 2 for x, y in (first, second)]
    d = psi[0] - psi[1]
    v10, v01 = d.mean(axis=1), d.mean(axis=0)
    return d.mean(), math.sqrt(v10.var(ddof=1) / len(v10) + v01.var(ddof=1) / len(v01))


@pytest.mark.parametrize("decimals", [12, 1, 0])
def test_auc_difference_is_paired_delong(decimals):
    first, second = two_runs(np.random.default_rng(0), 90, (1.2, 0.9))
    first, second = ((members, holdouts[:70]) for members, holdouts in (first, second))
    first, second = (tuple(s.round(decimals) for s in run) for run in (first, second))
    value, error = brute_force_paired_delong(first, second)
    found = stats.auc_difference(first, second)
    assert found.method == "paired-delong"
    assert found[:3] == pytest.approx(
        (value, value - 1.959963985 * error, value + 1.959963985 * error), abs=1e-9
    )
    assert found.p == pytest.approx(math.erfc(abs(value) / error / math.sqrt(2)), abs=1e-12)


def test_what_two_runs_share_cancels():
    first, second = two_runs(np.random.default_rng(1), 500, (1.2, 1.0), shared=0.99)
    alone = stats.auc_interval(*first)
    found = stats.auc_difference(first, second)
    assert found.high - found.low < (alone.high - alone.low) / 2
    assert found.p < 1e-3


def test_a_run_against_itself_differs_by_nothing_that_could_be_claimed():
    run = two_runs(np.random.default_rng(2), 500, [1.0])[0]
    for found in (stats.auc_difference(run, run), stats.tpr_difference(run, run, replicates=200)):
        assert found.low <= 0 <= found.high
        assert (found.value, found.p) == (0, 1)


def test_runs_that_all_pairs_tell_apart_are_told_apart():
    """One run finds everybody, the other is blind: no variance to go by, and no doubt either."""
    found = stats.auc_difference((np.ones(20), np.zeros(20)), (np.ones(20), np.ones(20)))
    assert found.method == "disjoint-pairs"
    assert found.value == 0.5
    assert found.p == pytest.approx(2 * 1.5**-20)
    assert 0 < found.low <= found.value <= found.high <= 1
    edge = stats.auc_difference(
        (np.ones(20), np.zeros(20)), (np.ones(20), np.ones(20)), level=1 - found.p
    )
    assert edge.low == pytest.approx(0, abs=1e-9)


def test_swapping_the_runs_turns_the_sign():
    first, second = two_runs(np.random.default_rng(3), 600, (1.3, 0.8))
    for compare in (stats.auc_difference, stats.tpr_difference):
        there, back = compare(first, second), compare(second, first)
        assert (there.value, there.low, there.high) == pytest.approx(
            (-back.value, -back.high, -back.low), abs=1e-12
        )
        assert there.p == back.p


def test_tpr_difference_is_the_bootstrap_of_pairs():
    rng = np.random.default_rng(4)
    first, second = two_runs(rng, 300, (1.5, 1.0))
    draws = []
    for _ in range(2000):
        i, j = rng.integers(0, 300, 300), rng.integers(0, 300, 300)
        a, b = (stats.tpr_at_fpr(x[i], y[j], 0.05) for x, y in (first, second))
        draws.append(a - b)
    found = stats.tpr_difference(first, second, 0.05)
    wanted = np.quantile(draws, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx(wanted, abs=0.02)


def test_one_draw_serves_both_runs():
    """Scores that differ by a monotone map have the same ROC in every replicate."""
    first = two_runs(np.random.default_rng(5), 500, [1.0])[0]
    found = stats.tpr_difference(first, tuple(np.exp(s) for s in first))
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_runs_on_other_pairs_are_refused():
    with pytest.raises(ValueError, match="members: the runs have 3 and 2; compare on the same"):
        stats.auc_difference(([1, 2, 3], [0]), ([1, 2], [0]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_by_its_definition(p):
    """H_(i) is rejected at alpha iff all p_(j) <= alpha / (k - j + 1) for j <= i."""
    adjusted = stats.holm(p)
    order = np.argsort(p, kind="stable")
    for alpha in (0.01, 0.05, 0.3):
        still = True
        for rank, i in enumerate(order):
            still = still and p[i] * (len(p) - rank) <= alpha
            assert (adjusted[i] <= alpha) == still


def test_holm_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match="p_values: expected 0 <= p <= 1, got 1.5"):
        stats.holm([0.1, 1.5])


@given(
    arrays(np.float64, st.integers(2, 25), elements=st.integers(-3, 3)),
    arrays(np.float64, st.integers(2, 25), elements=st.integers(-3, 3)),
    st.sampled_from([0.0, 0.1, 0.5]),
)
def test_counts_stand_for_repeated_scores(members, holdouts, fpr):
    rng = np.random.default_rng(0)
    m, n = (resample(len(s), 20, rng) for s in (members, holdouts))
    found = resampled_tpr(members, holdouts, m, n, fpr)
    wanted = [
        stats.tpr_at_fpr(np.repeat(members, a), np.repeat(holdouts, b), fpr)
        for a, b in zip(m, n, strict=True)
    ]
    assert found.tolist() == wanted


def test_resamples_have_the_size_of_the_sample():
    counts = resample(700, 500, np.random.default_rng(0))
    assert (counts.sum(axis=1, dtype=int) == 700).all()
    assert counts.var() == pytest.approx(1, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("n", [500, 2500])
def test_coverage_of_differences(n):
    """300 pairs of runs whose true AUC and TPR@1%FPR are known."""
    rng, shifts = np.random.default_rng(n), (1.0, 0.7)
    truth = [ndtr(s / math.sqrt(2)) for s in shifts], [ndtr(s - ndtri(0.99)) for s in shifts]
    held = np.zeros(2)
    for i in range(300):
        first, second = two_runs(rng, n, shifts)
        found = stats.auc_difference(first, second), stats.tpr_difference(first, second, rng=i)
        held += [f.low <= t[0] - t[1] <= f.high for f, t in zip(found, truth, strict=True)]
    assert ((held / 300 >= 0.92) & (held / 300 <= 0.98)).all(), held / 300
