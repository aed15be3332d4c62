"""Each attack asks exactly as often as it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

CALLS = [
    ("loss", 1, 1),
    ("loss[t=350]", 1, 1),
    ("clid_th", 15, 5),
    ("clid_th[reduction=null]", 6, 2),
]


@pytest.mark.parametrize(("call", "queries", "columns"), CALLS)
@pytest.mark.parametrize("n", [1, 24])
def test_the_network_is_asked_as_often_as_declared(
    attack, target_of, pairs, call, queries, columns, n
):
    made, target = attack(call), target_of()
    features = made.features(target, pairs.select(pairs.ids[:n]))
    assert made.queries == queries
    assert target.base.unet.rows == target.queries == queries * n
    assert features.shape == (n, columns)
    assert features.dtype == np.float64


@pytest.mark.parametrize(("call", "queries", "columns"), CALLS)
def test_features_of_a_pair_do_not_depend_on_the_others(
    attack, target_of, pairs, call, queries, columns
):
    """Neither on their number and order nor on the batch size: within 1e-4 of their spread."""
    made = attack(call)
    usual = made.features(target_of(), pairs)
    order = np.random.default_rng(0).permutation(len(pairs))
    shuffled = pairs.select([pairs.ids[i] for i in order])
    spread = usual.std(axis=0)
    for found, wanted in (
        (made.features(target_of(rows=5), pairs), usual),
        (made.features(target_of(), shuffled), usual[order]),
        (made.features(target_of(rows=1), pairs.select(pairs.ids[7:9])), usual[7:9]),
    ):
        assert np.all(abs(found - wanted) < 1e-4 * spread)


def test_another_attack_before_changes_nothing(attack, target_of, pairs):
    for first, second in (("loss", "clid_th"), ("clid_th", "loss")):
        target = target_of()
        attack(first).features(target, pairs)
        after = attack(second).features(target, pairs)
        assert np.array_equal(after, attack(second).features(target_of(), pairs))


def test_all_attacks_meet_the_same_noise(attack, target_of, pairs):
    loss = attack("loss[t=450]").features(target_of(), pairs)[:, 0]
    one = replace(attack("clid_th"), timesteps=(450,))
    np.testing.assert_allclose(one.features(target_of(), pairs)[:, 0], loss, rtol=1e-5)
