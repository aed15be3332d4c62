"""Do 95 % intervals hold the truth 95 % of the time? 300 simulated binormal sets a case."""

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from bench import stats
from bench.stats.ranks import frontier_gains, lower_frontier

SETS = 300
CASES = [(n, auc) for n in (500, 2500) for auc in (0.55, 0.65, 0.75)]

pytestmark = pytest.mark.slow


def coverage(estimates, truth):
    return np.mean([estimate.low <= truth <= estimate.high for estimate in estimates])


@pytest.fixture(params=CASES, ids=lambda case: f"n{case[0]}-auc{case[1]}", scope="module")
def sets(request, binormal):
    """(true AUC, 300 sets of n + n scores), every case from its own seed."""
    n, auc = request.param
    rng = np.random.default_rng([n, round(100 * auc)])
    return auc, [binormal(rng, n, n, auc) for _ in range(SETS)]


def test_delong(sets):
    auc, draws = sets
    assert 0.92 <= coverage([stats.auc_interval(*d) for d in draws], auc) <= 0.98


def test_bootstrap(sets, true_tpr):
    auc, draws = sets
    estimates = [stats.tpr_interval(*d, rng=i) for i, d in enumerate(draws)]
    assert 0.92 <= coverage(estimates, true_tpr(auc, 0.01)) <= 0.98


def test_claim(sets, true_tpr):
    auc, draws = sets
    assert coverage([stats.tpr_claim(*d) for d in draws], true_tpr(auc, 0.01)) >= 0.95


def test_asr(sets):
    auc, draws = sets
    threshold = float(ndtri(auc)) / math.sqrt(2)  # midway: both shares right are Phi(d / 2)
    estimates = [stats.asr_interval(*d, threshold) for d in draws]
    assert 0.92 <= coverage(estimates, ndtr(threshold)) <= 0.98


def test_mean_over_three_seeds(sets, true_tpr):
    auc, draws = sets
    triples = [
        stats.mean_over_seeds([stats.tpr_interval(*d, rng=i) for d in draws[i : i + 3]])
        for i in range(0, SETS, 3)
    ]
    # 92 % is expected at n = 500 (bias of TPR@f, see its docstring); 100 triples give +-2.7 points.
    assert coverage([t.estimate for t in triples], true_tpr(auc, 0.01)) >= 0.87


def test_the_shortcut_would_fail(binormal, true_tpr):
    """A check of the check: the exact binomial alone must not pass at AUC 0.75."""
    rng = np.random.default_rng(1)
    shortcut = [
        stats.clopper_pearson(round(stats.tpr_at_fpr(m, h) * 2500), 2500)
        for m, h in (binormal(rng, 2500, 2500, 0.75) for _ in range(SETS))
    ]
    assert coverage(shortcut, true_tpr(0.75, 0.01)) < 0.75


def test_frontier_gains():
    """Nine models 5 points below an undefended path, all measured with errors in both figures."""
    rng = np.random.default_rng(0)
    path, models = np.linspace(0.12, 0.17, 8)[:, None], np.linspace(0.125, 0.165, 9)[:, None]
    truth = (path, 30 - 600 * (path - 0.12), models, 25 - 600 * (models - 0.12))
    held = []
    for _ in range(SETS):
        seen = moved(rng, truth, 1)
        kept = lower_frontier(seen[0][:, 0], seen[1][:, 0])
        costs, leaks, *own = moved(rng, seen, 400)
        low, high = np.quantile(frontier_gains(costs[kept], leaks[kept], *own), [0.025, 0.975], 1)
        held.append((low <= 5.0) & (high >= 5.0))
    assert 0.92 <= np.mean(held) <= 0.98


def moved(rng, figures, draws):
    """KIDs with errors of .002 and leaks with errors of 2 points, in turns."""
    errors = (0.002, 2.0, 0.002, 2.0)
    return [x + e * rng.normal(size=(len(x), draws)) for x, e in zip(figures, errors, strict=True)]
