"""The knobs `weight_decay`, `ema` and `learning_rate`."""

from __future__ import annotations

import pytest
import torch
from defended import made

from bench.errors import UsageError
from bench.training.recipe import RECIPES


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("weight_decay", {"weight_decay": 0.1}),
        ("weight_decay[value=0]", {"weight_decay": 0.0}),
        ("ema", {"ema_decay": 0.0}),
        ("ema[decay=0.99]", {"ema_decay": 0.99}),
        ("learning_rate", {"lr": 5e-5}),
        ("learning_rate[scale=4]", {"lr": 8e-4}),
    ],
)
def test_one_setting_changes_and_no_other(text, changed):
    recipe = RECIPES["mini"]
    new = made(text).recipe(recipe, 500)
    assert new == recipe.changed(**changed) != recipe


def test_the_recipe_s_own_settings_train_the_weights_of_none(trained, undefended):
    for text in ("weight_decay[value=0.01]", "ema[decay=0.9]", "learning_rate[scale=1]"):
        assert trained(text).bytes == undefended.bytes


def test_knobs_are_those_of_a_recipe(trained, recipe):
    for text, changed in (
        ("weight_decay", {"weight_decay": 0.1}),
        ("ema[decay=0.5]", {"ema_decay": 0.5}),
        ("learning_rate[scale=4]", {"lr": 4e-3}),
    ):
        by_hand = trained("none", recipe=recipe.changed(**changed))
        assert trained(text).bytes == by_hand.bytes
        assert trained(text, killed=14).bytes == by_hand.bytes


def test_without_averaging_the_trained_weights_are_published(trained, undefended, trainers):
    raw = trained("ema")
    for name, value in trainers[-1].trained.items():
        torch.testing.assert_close(raw.weights[name], value.detach(), rtol=1e-6, atol=1e-7)
    assert raw.bytes != undefended.bytes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("weight_decay[value=-1]", "weight_decay: value=-1.0 must be at least 0"),
        ("weight_decay[value=inf]", "weight_decay: value=inf must be at least 0 and finite"),
        ("ema[decay=1]", "ema: decay=1.0 must be at least 0 and below 1"),
        ("learning_rate[scale=0]", "learning_rate: scale=0.0 must be greater than 0"),
        ("learning_rate[scale=nan]", "learning_rate: scale=nan must be greater than 0"),
    ],
)
def test_bad_parameters(text, said):
    with pytest.raises(UsageError, match=f"defense {said}"):
        made(text)
