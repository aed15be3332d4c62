"""The naive loss attack."""

from __future__ import annotations

import numpy as np
import pytest

from bench.stats.roc import auc


def test_the_score_is_the_negative_loss_at_450(attack, target_of, pairs):
    made = attack("loss")
    features = made.features(target_of(), pairs)
    assert np.array_equal(features, -target_of().losses(pairs, [450]))
    assert np.array_equal(made.score(features), features[:, 0])


def test_the_timestep_is_a_parameter(attack, target_of, pairs):
    features = attack("loss[t=350]").features(target_of(), pairs)
    assert np.array_equal(features, -target_of().losses(pairs, [350]))


def test_fitting_changes_nothing(attack, target_of, pairs):
    made = attack("loss")
    features = made.features(target_of(), pairs)
    fitted = made.fit(features, np.arange(24) % 2 == 0)
    assert np.array_equal(fitted.score(features), features[:, 0])


@pytest.mark.parametrize("seed", [0, 1])
def test_a_model_that_knows_its_members_gives_them_away(attack, oracle, pairs, seed):
    members, holdouts = pairs.select(pairs.ids[::2]), pairs.select(pairs.ids[1::2])
    target = oracle(members, seed)
    made = attack("loss")
    scores = [made.score(made.features(target, part)) for part in (members, holdouts)]
    assert auc(*scores) == 1.0
    assert scores[0].min() > -1e-6 > -0.5 > scores[1].max()
