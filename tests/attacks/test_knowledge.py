"""Models whose knowledge is known: all of it, none of it, only with the caption."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from bench.stats.roc import auc

IS_MEMBER = np.random.default_rng(5).permutation(24) < 12
DIFFERENCE = [
    "clid_th",
    "clid_th[reduction=null]",
    "clid_th[reduction=noise]",
    "clid_vec",
    "clid_vec[reduction=null]",
]


@pytest.fixture
def knowing(pairs, all_knowing):
    """Nine tenths of a member's noise if asked with its own caption; else noise of its own."""

    def make(is_member, seed=0):
        generator = torch.Generator().manual_seed(1)

        def say(row):
            known = is_member[row.index] and row.own_caption
            return 0.9 * row.noise if known else torch.randn(row.noise.shape, generator=generator)

        return all_knowing(say, seed)

    return make


@pytest.mark.parametrize("call", ["loss", "mc", *DIFFERENCE, "ref_loss", "ref_align"])
def test_a_model_that_knows_its_members_gives_them_away(
    attack, ask, knowing, target_of, pairs, call
):
    """Seed 1 is the shadow, with other members."""
    made, ignorant = attack(call), target_of(lambda noisy, times, text: 0.1 * noisy)
    others = np.roll(IS_MEMBER, 7)
    shadow = ask(made, knowing(others, seed=1), pairs, ignorant)
    target = ask(made, knowing(IS_MEMBER), pairs, ignorant)
    scores = made.fit(shadow, others).score(target)
    assert auc(scores[IS_MEMBER], scores[~IS_MEMBER]) == 1


def test_conditional_knowledge_that_the_loss_does_not_show_is_found(attack, all_knowing, pairs):
    """Every caption of its own is off by 1; clipped ones by 2, but only a member's."""

    def say(row):
        return row.noise + (1 if row.own_caption or not IS_MEMBER[row.index] else 2)

    target = all_knowing(say)
    features = attack("clid_th").features(target, pairs)
    np.testing.assert_allclose(features[:, 0], -1, atol=1e-5)
    np.testing.assert_allclose(features[IS_MEMBER, 1:], 3, atol=1e-5)
    np.testing.assert_allclose(features[~IS_MEMBER, 1:], 0, atol=1e-5)


@pytest.mark.parametrize("call", DIFFERENCE)
def test_a_model_that_ignores_text_leaves_nothing_but_the_loss(
    attack, target_of, base, pairs, call
):
    target = target_of(lambda noisy, times, text: base.unet(noisy, times, 0 * text).sample)
    made = attack(call)
    features = made.features(target, pairs)
    assert np.all(features[:, 1:] == 0)
    features[:, 0] = 0
    scores = made.fit(features, IS_MEMBER).score(features)
    assert auc(scores[IS_MEMBER], scores[~IS_MEMBER]) == 0.5


@pytest.mark.parametrize("call", ["ref_loss", "ref_align", "ref_align[count=11]"])
def test_a_target_that_is_its_reference_scores_zero_everywhere(attack, ask, target_of, pairs, call):
    made = attack(call)
    features = ask(made, target_of(), pairs, target_of())
    assert np.all(features == 0)
    scores = made.fit(features, IS_MEMBER).score(features)
    assert auc(scores[IS_MEMBER], scores[~IS_MEMBER]) == 0.5


def test_ref_align_is_the_cosine_of_the_way_to_the_noise(attack, ask, all_knowing, pairs):
    """From nothing, straight to the noise by any share of the way, back from it, or beside it."""
    generator = torch.Generator().manual_seed(2)
    steps = {0: 0.01, 1: 0.5, 2: 3.0, 3: -0.2}

    def say(row):
        if row.index in steps:
            return steps[row.index] * row.noise
        return torch.randn(row.noise.shape, generator=generator)

    nothing = all_knowing(lambda row: 0 * row.noise)
    scores = attack("ref_align").score(ask(attack("ref_align"), all_knowing(say), pairs, nothing))
    np.testing.assert_allclose(scores[:4], [1, 1, 1, -1], atol=1e-4)
    assert abs(scores[4:]).max() < 0.2  # 768 directions


@pytest.mark.parametrize("call", ["pfami", "pfami[mode=ratio]", "pfami_nn"])
def test_a_crop_meets_the_noise_of_the_whole_picture(attack, target_of, pairs, call):
    """A picture of one colour is its own crop, so that nothing is left but the noise."""
    plain = replace(pairs, open_image=lambda id_: Image.new("RGB", (40, 30), (200, 30, 90)))
    features = attack(call).features(target_of(), plain)
    assert np.all(features == 0)
    assert np.all(attack(call).features(target_of(), pairs) != 0)
