"""CLiD_th against the paper's formulas, sklearn, and models whose knowledge is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import RobustScaler

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


def test_conditions_are_columns_over_pairs_and_the_last_is_empty():
    assert clid.reduced(("abc", "defghi"), "clip") == [
        ["a", "de"],
        ["b", "fg"],
        ["c", "hi"],
        ["", ""],
    ]
    assert clid.reduced(("abc", "defghi"), "null") == [["", ""]]


def test_features_are_the_paper_s(attack, target_of, pairs):
    """L = - mean_t l(c); D_i = mean_t [l(c_i) - l(c)], Eqs. 14 and 15."""
    found, times = attack("clid_th").features(target_of(), pairs), [440, 450, 460]
    target = target_of()
    full = target.losses(pairs, times)
    np.testing.assert_allclose(found[:, 0], -full.mean(1), rtol=1e-12)
    for column in range(3):
        captions = [clid.thirds(caption)[column] for caption in pairs.captions]
        wanted = (target.losses(pairs, times, captions) - full).mean(1)
        np.testing.assert_allclose(found[:, 1 + column], wanted, rtol=0, atol=1e-12)
    wanted = (target.losses(pairs, times, [""] * 24) - full).mean(1)
    np.testing.assert_allclose(found[:, 4], wanted, rtol=0, atol=1e-12)
    null = attack("clid_th[reduction=null]").features(target_of(), pairs)
    assert np.array_equal(null, found[:, [0, 4]])


def test_an_empty_caption_has_no_discrepancy_at_all(attack, target_of, pairs):
    silent = pairs.with_captions([""] * len(pairs))
    assert np.all(attack("clid_th").features(target_of(), silent)[:, 1:] == 0)


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


def test_alpha_zero_has_exactly_the_roc_of_the_mean_loss(attack, target_of, pairs):
    made, target = attack("clid_th"), target_of()
    features = made.features(target, pairs)
    is_member = np.arange(24) % 3 == 0
    fitted = made.fit(features, is_member)
    fitted.alpha = 0.0
    ours = roc(*(fitted.score(features[who]) for who in (is_member, ~is_member)))
    mean_loss = -target.losses(pairs, [440, 450, 460]).mean(axis=1)
    theirs = roc(mean_loss[is_member], mean_loss[~is_member])
    assert np.array_equal(ours.false_positives, theirs.false_positives)
    assert np.array_equal(ours.true_positives, theirs.true_positives)


@pytest.mark.parametrize("call", ["clid_th", "clid_th[reduction=null]"])
def test_a_model_that_knows_its_members_gives_them_away(attack, oracle, pairs, call):
    parts = [pairs.select(pairs.ids[i::4]) for i in range(4)]
    made = attack(call)
    shadow = [made.features(oracle(parts[2]), part) for part in parts[2:]]
    fitted = made.fit(np.concatenate(shadow), np.repeat([True, False], 6))
    target = oracle(parts[0])
    scores = [fitted.score(made.features(target, part)) for part in parts[:2]]
    assert auc(*scores) == 1.0
    assert scores[0].min() > scores[1].max()


def test_conditional_knowledge_that_the_loss_does_not_show_is_found(attack, all_knowing, pairs):
    """Every caption of its own is off by 1; clipped ones by 2, but only a member's."""
    is_member = np.arange(24) % 2 == 0

    def say(row):
        return row.noise + (1 if row.own_caption or not is_member[row.index] else 2)

    features = attack("clid_th").features(all_knowing(say), pairs)
    np.testing.assert_allclose(features[:, 0], -1, atol=1e-5)
    np.testing.assert_allclose(features[is_member, 1:], 3, atol=1e-5)
    np.testing.assert_allclose(features[~is_member, 1:], 0, atol=1e-5)


def test_a_model_that_ignores_text_leaves_nothing_but_the_loss(attack, target_of, base, pairs):
    target = target_of(lambda noisy, times, text: base.unet(noisy, times, 0 * text).sample)
    made = attack("clid_th")
    features = made.features(target, pairs)
    assert np.all(features[:, 1:] == 0)
    fitted = made.fit(features, np.arange(24) % 2 == 0)
    fitted.alpha = 1.0
    scores = fitted.score(features)
    assert auc(scores[::2], scores[1::2]) == 0.5
