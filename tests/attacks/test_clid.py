"""CLiD: its reduced captions, and what is learnt from the shadow, against sklearn and xgboost.

The features themselves are in test_closed_forms.py.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import RobustScaler
from xgboost import XGBClassifier

from bench.plugins import load_module, shipped_folder
from bench.stats.roc import auc, roc

clid = load_module(shipped_folder("attack") / "clid.py")


def some_features(seed, n=200, k=4, gain=1.0):
    """Columns L and D_1 ... D_k in which members differ a little, and who is one."""
    rng = np.random.default_rng(seed)
    is_member = rng.permutation(n) < n // 2
    loss = rng.normal(-0.1, 0.02, n) + 0.01 * gain * is_member
    differences = rng.normal(1e-3, 5e-4, (n, k)) + 2e-4 * gain * is_member[:, None]
    return np.column_stack([loss, differences]), is_member


def by_sklearn(features, is_member):
    """Scaled (L, mean D), AUC at every alpha."""
    two = np.column_stack([features[:, 0], features[:, 1:].mean(1)])
    scaled = RobustScaler().fit(two).transform(two)
    weighted = [(1 - a) * scaled[:, 0] + a * scaled[:, 1] for a in np.arange(11) / 10]
    return scaled, weighted, [roc_auc_score(is_member, w) for w in weighted]


@given(st.text())
def test_thirds_are_cut_by_characters_and_lose_none(caption):
    parts = clid.thirds(caption)
    n = len(caption)
    assert "".join(parts) == caption
    assert [len(part) for part in parts] == [n // 3, 2 * n // 3 - n // 3, n - 2 * n // 3]


@pytest.mark.parametrize(
    ("caption", "parts"),
    [
        ("", ["", "", ""]),
        ("a", ["", "", "a"]),
        ("ab", ["", "a", "b"]),
        ("abc", ["a", "b", "c"]),
        ("abcd", ["a", "b", "cd"]),
        ("a cat", ["a", " c", "at"]),
    ],
)
def test_thirds_of_short_captions(caption, parts):
    assert clid.thirds(caption) == parts


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.sampled_from(clid.RATES))
def test_the_most_important_words_become_padding_and_ties_go_together(weights, rate):
    """The k-th largest weight is the least that goes, k = ceil(rate n): spec 2.5."""
    n = len(weights)
    words = [f"w{i}" for i in range(n)]
    said = clid.without("  ".join(words), weights, rate).split(" ")
    gone = [i for i in range(n) if said[i] == "<|endoftext|>"]
    assert all(said[i] == words[i] for i in range(n) if i not in gone)
    k = -(-round(10 * rate) * n // 10)  # in whole numbers
    least = sorted(weights)[n - k]
    assert gone == [i for i in range(n) if weights[i] >= least]
    assert len(gone) >= k >= 1


@pytest.mark.parametrize(
    ("weights", "rate", "gone"),
    [
        ([7], 0.3, [0]),
        ([7], 0.7, [0]),
        ([0], 0.5, [0]),
        ([1, 2], 0.3, [1]),
        ([1, 2], 0.5, [1]),
        ([1, 2], 0.7, [0, 1]),
        ([4, 1, 3, 2, 0, 5, 9, 8, 7, 6], 0.3, [6, 7, 8]),
        ([4, 1, 3, 2, 0, 5, 9, 8, 7, 6], 0.5, [5, 6, 7, 8, 9]),
        ([4, 1, 3, 2, 0, 5, 9, 8, 7, 6], 0.7, [0, 2, 5, 6, 7, 8, 9]),
        ([1, 1, 0, 0, 0, 0], 0.3, [0, 1]),
        ([2, 1, 1, 1, 0, 0], 0.3, [0, 1, 2, 3]),
    ],
)
def test_words_that_importance_clipping_replaces(weights, rate, gone):
    words = [chr(ord("a") + i) for i in range(len(weights))]
    wanted = ["<|endoftext|>" if i in gone else word for i, word in enumerate(words)]
    assert clid.without(" ".join(words), weights, rate) == " ".join(wanted)


@pytest.mark.parametrize("caption", ["", "  "])
def test_a_caption_without_words_stays(caption):
    assert clid.without(caption, [], 0.3) == caption


def test_importance_clipping_asks_with_the_weights_of_the_middle_draw(attack, target_of, pairs):
    """A target that weighs words as it is told: 1, 2, ... from the left; asked at 450."""
    target, asked = target_of(), []

    def told(pairs, timestep):
        asked.append(timestep)
        return [[float(i) for i, _ in enumerate(c.split())] for c in pairs.captions]

    target.word_importance = told
    found = attack("clid_th[reduction=importance]").features(target, pairs)
    assert asked == [450]
    times = [440, 450, 460]
    full = target.losses(pairs, times)
    for column, rate in enumerate((3, 5, 7), start=1):
        captions = []
        for caption in pairs.captions:
            words = caption.split()
            kept = len(words) - -(-rate * len(words) // 10)
            captions.append(" ".join(words[:kept] + ["<|endoftext|>"] * (len(words) - kept)))
        wanted = (target.losses(pairs, times, captions) - full).mean(axis=1)
        np.testing.assert_allclose(found[:, column], wanted, rtol=0, atol=1e-12)
    wanted = (target.losses(pairs, times, [""] * 24) - full).mean(axis=1)
    np.testing.assert_allclose(found[:, 4], wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("reduction", ["clip", "importance"])
def test_an_empty_caption_has_no_discrepancy_at_all(attack, target_of, pairs, reduction):
    """Every reduction of it is itself, and equal captions give D = 0."""
    silent = pairs.with_captions([""] * len(pairs))
    features = attack(f"clid_th[reduction={reduction}]").features(target_of(), silent)
    assert np.all(features[:, 1:] == 0)


def test_captions_shorter_than_three_letters_are_attacked_like_others(attack, target_of, pairs):
    short = pairs.with_captions(["a", "ab"] * 12)
    features = attack("clid_th").features(target_of(), short)
    assert np.isfinite(features).all()
    assert np.all(features[::2, 3] == 0)  # the last third of "a" is "a"
    assert np.array_equal(features[::2, 1], features[::2, 4])  # the first one is empty


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("k", [1, 4])
def test_scaler_and_alpha_are_sklearn_s(attack, seed, k):
    features, is_member = some_features(seed, n=101, k=k)
    scaled, weighted, areas = by_sklearn(features, is_member)
    fitted = attack("clid_th").fit(features, is_member)
    assert fitted.alpha == np.argmax(np.round(areas, 12)) / 10
    np.testing.assert_allclose(fitted.score(features), weighted[np.argmax(areas)], rtol=1e-10)
    for alpha, column in ((0.0, 0), (1.0, 1)):
        fitted.alpha = alpha
        np.testing.assert_allclose(fitted.score(features), scaled[:, column], rtol=1e-10)


def test_every_alpha_can_win(attack):
    """Members gain in L only, in D only, or a little in both."""
    found = set()
    for seed in range(60):
        features, is_member = some_features(seed, gain=0)
        share = seed / 59
        features[:, 0] += 0.03 * (1 - share) * is_member
        features[:, 1:] += 4e-4 * share * is_member[:, None]
        found.add(attack("clid_th").fit(features, is_member).alpha)
    assert {0.0, 1.0} < found
    assert len(found) >= 8
    assert found <= {round(0.1 * i, 1) for i in range(11)}


def test_scale_and_alpha_come_from_the_shadow_and_are_kept(attack):
    shadow, is_member = some_features(0)
    target, _ = some_features(1)
    fitted = attack("clid_th").fit(shadow, is_member)
    before = vars(fitted).copy()
    together = fitted.score(target * 3 + 1)
    one_by_one = [fitted.score(row[None] * 3 + 1)[0] for row in target]
    np.testing.assert_allclose(together, one_by_one, rtol=1e-12)
    assert all(np.array_equal(before[name], value) for name, value in vars(fitted).items())


@pytest.mark.parametrize("column", [0, 1])
def test_a_column_without_spread_is_left_unscaled_as_sklearn_does(attack, column):
    features, is_member = some_features(0, k=1)
    features[:, column] = 0.25
    _, weighted, areas = by_sklearn(features, is_member)
    fitted = attack("clid_th").fit(features, is_member)
    assert fitted.alpha == np.argmax(np.round(areas, 12)) / 10
    np.testing.assert_allclose(fitted.score(features), weighted[round(10 * fitted.alpha)])


def test_alpha_zero_has_exactly_the_roc_of_mc(attack, target_of, pairs):
    made, target, mc = attack("clid_th"), target_of(), attack("mc")
    features = made.features(target, pairs)
    is_member = np.arange(24) % 3 == 0
    fitted = made.fit(features, is_member)
    fitted.alpha = 0.0
    ours = roc(*(fitted.score(features[who]) for who in (is_member, ~is_member)))
    scores = mc.score(mc.features(target_of(), pairs))
    theirs = roc(scores[is_member], scores[~is_member])
    assert np.array_equal(ours.false_positives, theirs.false_positives)
    assert np.array_equal(ours.true_positives, theirs.true_positives)


def test_conditional_knowledge_that_the_loss_does_not_show_is_found(attack, all_knowing, pairs):
    """Every caption of its own is off by 1; clipped ones by 2, but only a member's."""
    is_member = np.arange(24) % 2 == 0

    def say(row):
        return row.noise + (1 if row.own_caption or not is_member[row.index] else 2)

    features = attack("clid_th").features(all_knowing(say), pairs)
    np.testing.assert_allclose(features[:, 0], -1, atol=1e-5)
    np.testing.assert_allclose(features[is_member, 1:], 3, atol=1e-5)
    np.testing.assert_allclose(features[~is_member, 1:], 0, atol=1e-5)


@pytest.mark.parametrize("trees", [20, 7])
@pytest.mark.parametrize("k", [1, 4])
def test_the_classifier_is_xgboost_s_on_the_raw_vector(attack, k, trees):
    """(D_1, ..., D_k, L), the released code's settings, P(member); trained on every row."""
    shadow, is_member = some_features(0, k=k)
    target, in_target = some_features(1, k=k)
    wanted = XGBClassifier(
        n_estimators=trees, max_depth=3, gamma=0.7, subsample=0.7, colsample_bytree=0.7,
        reg_alpha=1, reg_lambda=1, n_jobs=1, random_state=0,
    )  # fmt: skip
    wanted.fit(np.column_stack([shadow[:, 1:], shadow[:, 0]]), is_member)
    fitted = attack(f"clid_vec[trees={trees}]").fit(shadow, is_member)
    scores = fitted.score(target)
    by_hand = wanted.predict_proba(np.column_stack([target[:, 1:], target[:, 0]]))[:, 1]
    assert np.array_equal(scores, by_hand)
    assert len(np.unique(scores)) > 10
    again = attack(f"clid_vec[trees={trees}]").fit(shadow, is_member)
    assert np.array_equal(again.score(target), scores)
    assert auc(scores[in_target], scores[~in_target]) > 0.6
    assert fitted.threshold == 0.5
