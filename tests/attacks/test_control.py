"""On a model that was never trained on either side, no attack knows anything."""

from __future__ import annotations

import numpy as np
import pytest

from bench.data import scenes
from bench.models.target import ModelTarget
from bench.stats.intervals import auc_interval


@pytest.mark.parametrize("call", ["loss", "clid_th"])
def test_an_untrained_model_gives_chance_within_the_interval(attack, base, call):
    drawn = scenes.pairs()
    parts = [drawn.select(drawn.ids[100 * i : 100 * (i + 1)]) for i in range(4)]
    target, made = ModelTarget(base, 0), attack(call)
    members, holdouts, *shadow = (made.features(target, part) for part in parts)
    fitted = made.fit(np.concatenate(shadow), np.repeat([True, False], 100))
    found = auc_interval(fitted.score(members), fitted.score(holdouts), level=0.999)
    assert found.low <= 0.5 <= found.high
