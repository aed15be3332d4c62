"""What every attack asks: as often as it says, and of every pair as if it were alone."""

from __future__ import annotations

import numpy as np
import pytest

CALLS = [
    ("loss", 1, 0, 1),
    ("loss[t=350]", 1, 0, 1),
    ("mc", 3, 0, 1),
    ("pia", 2, 0, 1),
    ("pian", 2, 0, 1),
    ("secmi", 12, 0, 1),
    ("secmi[t=140]", 16, 0, 1),
    ("secmi[t=90]", 11, 0, 1),
    ("secmi_nns", 12, 0, 256),
    ("clid_th", 15, 0, 5),
    ("clid_th[reduction=importance]", 15, 0, 5),
    ("clid_th[reduction=noise]", 15, 0, 5),
    ("clid_th[reduction=null]", 6, 0, 2),
    ("clid_vec", 15, 0, 5),
    ("clid_vec[reduction=importance]", 15, 0, 5),
    ("clid_vec[reduction=null]", 6, 0, 2),
    ("clid_th[m=1,n=1,reduction=importance]", 5, 0, 5),
    ("pfami", 20, 0, 10),
    ("pfami[reference=base]", 20, 20, 10),
    ("pfami_nn", 110, 0, 100),
    ("ref_loss", 3, 3, 3),
    ("ref_loss[count=11]", 11, 11, 11),
    ("ref_align", 3, 3, 3),
    ("ref_align[count=11]", 11, 11, 11),
]
EVERY = [call for call, *_ in CALLS if "t=" not in call and "m=" not in call]
LINEAR = [call for call in EVERY if "importance" not in call]
"""A linear model has no attention to read."""


@pytest.mark.parametrize(("call", "queries", "of_reference", "columns"), CALLS)
@pytest.mark.parametrize("n", [1, 24])
def test_the_networks_are_asked_as_often_as_declared(
    attack, ask, target_of, pairs, call, queries, of_reference, columns, n
):
    made, target, reference = attack(call), target_of(), target_of()
    features = ask(made, target, pairs.select(pairs.ids[:n]), reference)
    assert made.queries == queries
    assert target.base.unet.rows == target.queries == queries * n
    assert reference.base.unet.rows == reference.queries == of_reference * n
    if of_reference:
        assert made.reference_queries == of_reference
    assert features.shape == (n, columns)
    assert features.dtype == np.float64


@pytest.mark.parametrize("call", LINEAR)
def test_features_of_a_pair_do_not_depend_on_the_others(attack, ask, models, pairs, call):
    """Neither on their number and order nor on the batch size: within 1e-4 of their spread."""
    made, (model, other) = attack(call), models

    def asked(pairs, **more):
        return ask(made, model.target(**more), pairs, other.target(**more))

    usual = asked(pairs)
    order = np.random.default_rng(0).permutation(len(pairs))
    shuffled = pairs.select([pairs.ids[i] for i in order])
    spread = usual.std(axis=0)
    for found, wanted in (
        (asked(pairs, rows=5), usual),
        (asked(shuffled), usual[order]),
        (asked(pairs.select(pairs.ids[7:9]), rows=1), usual[7:9]),
    ):
        assert np.all(abs(found - wanted) < 1e-4 * spread)


@pytest.mark.parametrize("call", ["clid_th", "clid_th[reduction=importance]", "pian", "pfami"])
def test_nor_on_a_real_network(attack, target_of, pairs, call):
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
        assert np.all(abs(found - wanted) < 1e-3 * spread)


@pytest.mark.parametrize("call", LINEAR)
def test_a_velocity_model_of_the_same_function_gives_the_same_features(
    attack, ask, models, pairs, call
):
    made, (model, other) = attack(call), models
    wanted, found = (
        ask(made, model.target(kind), pairs, other.target(kind))
        for kind in ("epsilon", "v_prediction")
    )
    assert abs(found - wanted).max() < 1e-4 * wanted.std()
    assert not np.array_equal(found, wanted), "nothing was converted"


def test_a_velocity_model_of_the_same_function_draws_the_same_word_importances(
    attack, base, target_of, pairs
):
    """The U-Net is asked once and its answer put as velocity: maps and losses stay."""

    def as_velocity(noisy, times, text):
        a = base.alphas_cumprod[times].view(-1, 1, 1, 1)
        output = base.unet(noisy, times, encoder_hidden_states=text).sample
        return (output - (1 - a).sqrt() * noisy) / a.sqrt()

    made = attack("clid_th[reduction=importance]")
    wanted = made.features(target_of(), pairs)
    velocity = target_of(as_velocity)
    config = base.scheduler.config
    velocity.base.scheduler = type(base.scheduler).from_config(
        config, prediction_type="v_prediction"
    )
    assert velocity.base.prediction_type == "v_prediction"
    found = made.features(velocity, pairs)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3 * wanted.std(axis=0).min())


@pytest.mark.parametrize("call", EVERY)
def test_the_same_seed_gives_the_same_bits(attack, ask, target_of, pairs, call):
    """Deterministic; PIA and SecMI draw nothing and give the same under any seed."""
    made, some = attack(call), pairs.select(pairs.ids[:4])
    first, second, other = (
        ask(made, target_of(seed=seed), some, target_of(lambda z, t, c: 0.1 * z, seed=seed))
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first, second)
    assert np.array_equal(first, other) == call.startswith(("pia", "secmi"))
    if not call.startswith(("pia", "secmi")):
        assert np.all(first != other) or "importance" in call


def test_all_attacks_meet_the_same_noise(attack, ask, target_of, pairs):
    losses = target_of().losses(pairs, [440, 450, 460])
    assert np.array_equal(attack("loss").features(target_of(), pairs)[:, 0], -losses[:, 1])
    for call in ("mc", "clid_th", "clid_vec[reduction=null]"):
        found = attack(call).features(target_of(), pairs)[:, 0]
        assert np.array_equal(found, -losses.mean(axis=1))
    silent = target_of(lambda noisy, times, text: 0 * noisy)
    ratio = ask(attack("ref_loss"), target_of(), pairs, silent)
    power = silent.losses(pairs, [440, 450, 460])
    np.testing.assert_allclose(ratio, np.log(power / losses), rtol=0, atol=1e-6)
