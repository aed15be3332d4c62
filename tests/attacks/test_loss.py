"""The naive loss attack."""

from __future__ import annotations

import numpy as np


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
