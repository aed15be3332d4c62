"""ROC figures against scikit-learn, brute force and arithmetic by hand."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score, roc_curve

from bench import stats

FPRS = (0.0, 0.01, 0.1, 0.29, 0.5)
# Few distinct values, so that most examples have ties within and between the classes.
few_values = arrays(np.float64, st.integers(1, 30), elements=st.integers(-4, 4))


def labelled(members, holdouts):
    return np.r_[np.ones(len(members)), np.zeros(len(holdouts))], np.r_[members, holdouts]


@pytest.fixture(params=[None, 1, 0])
def scores(request, binormal):
    """Smooth scores, and the same rounded so that ties cross the classes."""
    m, h = binormal(np.random.default_rng(3), 230, 310, 0.7)
    return (m, h) if request.param is None else (m.round(request.param), h.round(request.param))


def test_roc_and_auc_equal_scikit_learn(scores):
    fpr, tpr, thresholds = roc_curve(*labelled(*scores), drop_intermediate=False)
    curve = stats.roc(*scores)
    np.testing.assert_allclose(curve.fpr, fpr, atol=1e-15)
    np.testing.assert_allclose(curve.tpr, tpr, atol=1e-15)
    # scikit-learn calls score >= threshold positive, we call score > threshold.
    np.testing.assert_array_equal(curve.thresholds[:-1], thresholds[1:])
    assert curve.false_positives.dtype == curve.true_positives.dtype == np.int64
    assert stats.auc(*scores) == pytest.approx(roc_auc_score(*labelled(*scores)), abs=1e-14)


def test_roc_counts_are_those_of_its_own_thresholds(scores):
    members, holdouts = scores
    curve = stats.roc(members, holdouts)
    assert (curve.n_members, curve.n_holdouts) == (230, 310)
    np.testing.assert_array_equal(
        curve.true_positives, (members > curve.thresholds[:, None]).sum(axis=1)
    )
    np.testing.assert_array_equal(
        curve.false_positives, (holdouts > curve.thresholds[:, None]).sum(axis=1)
    )


@given(few_values, few_values)
def test_auc_is_the_share_of_ordered_pairs(members, holdouts):
    wins = (members[:, None] > holdouts).sum() + (members[:, None] == holdouts).sum() / 2
    assert stats.auc(members, holdouts) == wins / (members.size * holdouts.size)
    assert stats.auc(members, holdouts) + stats.auc(holdouts, members) == pytest.approx(
        1, abs=1e-15
    )


@given(few_values, few_values, st.sampled_from(FPRS))
def test_tpr_is_the_best_over_all_allowed_thresholds(members, holdouts, fpr):
    curve = stats.roc(members, holdouts)
    allowed = curve.fpr <= fpr
    assert stats.tpr_at_fpr(members, holdouts, fpr) == curve.tpr[allowed].max()


@given(few_values, few_values, st.sampled_from([0.01, 0.1, 0.5]))
def test_the_swapped_tpr_is_that_of_the_released_evaluator(members, holdouts, fpr):
    """Hold-outs positive, errors as scores, the first point of sklearn's curve at or above fpr.

    All its points: it drops some that lie on a line, which ties make arbitrary.
    """
    is_holdout = np.r_[np.zeros(members.size), np.ones(holdouts.size)]
    false, true, _ = roc_curve(is_holdout, -np.r_[members, holdouts], drop_intermediate=False)
    first = next(i for i, rate in enumerate(false) if rate >= fpr)
    assert stats.tpr_swapped(members, holdouts, fpr) == true[first]


@given(few_values, few_values)
def test_figures_depend_on_the_order_of_scores_only(members, holdouts):
    def warp(x):
        return np.arctan(x) * 3 - 7

    for figure in (stats.auc, stats.tpr_at_fpr, stats.tpr_swapped):
        assert figure(warp(members), warp(holdouts)) == figure(members, holdouts)
    curve, warped = stats.roc(members, holdouts), stats.roc(warp(members), warp(holdouts))
    np.testing.assert_array_equal(curve.true_positives, warped.true_positives)
    np.testing.assert_array_equal(curve.false_positives, warped.false_positives)


def test_ties_are_never_split():
    holdouts = np.r_[np.zeros(98), 1, 1]  # 1 % allows one hold-out, the top two are equal
    assert stats.tpr_at_fpr([1, 1, 2, 0], holdouts, 0.01) == 0.25
    assert stats.tpr_at_fpr([1, 1, 2, 0], holdouts, 0.02) == 0.75
    assert stats.tpr_at_fpr(np.zeros(500), np.zeros(500)) == 0
    half = np.array([1.0001, 1.0, 0.5], dtype=np.float16)  # the first two are one float16
    assert len(stats.roc(half[:1], half[1:]).thresholds) == 3


def test_member_positive_and_swapped_tpr_differ():
    members = np.r_[np.full(50, 9), np.full(50, 1)]  # half are certain, the rest like a hold-out
    holdouts = np.r_[np.full(80, 1), np.full(20, 0)]  # a fifth is certainly out
    assert stats.tpr_at_fpr(members, holdouts) == 0.5
    assert stats.tpr_swapped(members, holdouts) == 1.0  # rejecting a member rejects its ties


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ([], "no scores"),
        ([1.0, math.nan], "1 of 2 scores are NaN or infinite"),
        ([math.inf, -math.inf], "2 of 2 scores"),
        ([[1.0]], "expected shape (n,), got (1, 1)"),
        (3.0, "expected shape (n,), got ()"),
        (["a"], "expected real numbers"),
        ([True], "expected real numbers"),
        ([1j], "expected real numbers"),
        ([None], "expected real numbers"),
        ([[1.0], [1.0, 2.0]], "ragged"),
    ],
)
def test_bad_scores_are_named_in_one_line(bad, says):
    figures = (stats.roc, stats.auc, stats.tpr_at_fpr, stats.tpr_swapped, stats.best_threshold)
    for figure in figures:
        for scores, name in (((bad, [1.0]), "members"), (([1.0], bad), "holdouts")):
            with pytest.raises(ValueError, match=f"^{name}: .*{re.escape(says)}") as error:
                figure(*scores)
            assert "\n" not in str(error.value)


@pytest.mark.parametrize("bad", [-0.1, 1.0, math.nan])
def test_bad_rates_are_refused(bad):
    with pytest.raises(ValueError, match="^fpr: expected 0 <= fpr < 1"):
        stats.tpr_at_fpr([1.0], [0.0], bad)
    with pytest.raises(ValueError, match="^fpr: "):
        stats.tpr_rule(bad)
