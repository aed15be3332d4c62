"""The defense `lora`: what is trained, what is published, and that clipping clips."""

from __future__ import annotations

import pytest
import torch
from defended import made
from safetensors.torch import load

from bench.errors import UsageError
from bench.models.base import load_base
from bench.training import lora
from bench.training.recipe import RECIPES


@pytest.fixture
def start(tiny_base):
    return load_base(tiny_base).unet.state_dict()


def is_adapted(name):
    return any(f".{layer}.weight" in name for layer in lora.LAYERS)


@pytest.mark.parametrize(
    ("text", "rank", "rate"),
    [
        ("lora", 4, 2e-3),
        ("lora[preset=r16]", 16, 2e-3),
        ("lora[preset=r64]", 64, 2e-3),
        ("lora[rank=8,lr_scale=1]", 8, 2e-4),
    ],
)
def test_rank_and_rate(text, rank, rate):
    recipe = RECIPES["mini"]
    assert made(text).recipe(recipe, 500) == recipe.changed(lora_rank=rank, lr=rate)


def test_rank_zero_is_full_fine_tuning_at_the_recipe_s_rate(trained, undefended):
    assert trained("lora[rank=0]").bytes == undefended.bytes


def test_only_attention_is_trained_and_the_rest_is_the_base_s(trained, trainers, start):
    run = trained("lora")
    assert run.weights.keys() == start.keys()
    moved = {name for name in start if not torch.equal(run.weights[name], start[name])}
    assert moved == {name for name in start if is_adapted(name)}
    assert all("lora_" in name for name in trainers[0].trained)
    assert len(trainers[0].trained) == 2 * len(moved)


def test_each_update_has_the_rank(trained, start):
    run = trained("lora[rank=2]")
    for name in filter(is_adapted, start):
        assert torch.linalg.matrix_rank(run.weights[name] - start[name], rtol=1e-3) == 2


def test_merged_weights_are_base_plus_b_a_of_the_averages(trained, trainers, start):
    run = trained("lora")
    with trainers[0].averaged():
        parts = {name: p.detach().clone() for name, p in trainers[0].trained.items()}
    for name in filter(is_adapted, start):
        layer = name.removesuffix(".weight")
        a, b = (parts[f"{layer}.lora_{part}.default.weight"] for part in "AB")
        assert a.shape[0] == b.shape[1] == 4
        torch.testing.assert_close(run.weights[name], start[name] + b @ a, rtol=0, atol=1e-6)


def test_the_merged_model_says_what_the_adapted_one_says(trained, trainers, tiny_base, start):
    run = trained("lora")
    rng = torch.Generator().manual_seed(0)
    noisy = torch.randn(3, 4, 8, 8, generator=rng)
    times = torch.tensor([10, 450, 900])
    text = torch.randn(3, 77, 32, generator=rng)
    plain = load_base(tiny_base).unet
    with torch.no_grad():
        before = plain(noisy, times, text).sample
        plain.load_state_dict(run.weights)
        merged = plain(noisy, times, text).sample
        with trainers[0].averaged():
            adapted = trainers[0].unet(noisy, times, text).sample
    torch.testing.assert_close(merged, adapted, rtol=0, atol=1e-5)
    assert (merged - before).abs().max() > 1e-3


@pytest.mark.parametrize("killed", [4, 14, 20])
def test_a_resumed_training_is_the_same_to_the_bit(trained, killed):
    assert trained("lora", killed=killed).bytes == trained("lora").bytes


def test_the_start_is_drawn_from_the_seed_alone(trained):
    once = trained("lora").bytes
    torch.manual_seed(99)
    assert trained("lora").bytes == once


def test_kept_epochs_are_merged_too(trained, recipe, start):
    run = trained("lora", recipe=recipe.changed(epochs=3, keep=(1, 2)))
    one = load(run.kept["unet-0001"])
    assert one.keys() == start.keys()
    assert {n for n in start if not torch.equal(one[n], start[n])} == {
        n for n in start if is_adapted(n)
    }
    assert run.kept["unet-0001"] != run.kept["unet-0002"] != run.bytes
    assert trained("lora", recipe=recipe.changed(epochs=3)).bytes == run.bytes


@pytest.mark.parametrize("limit", [1e-3, 1e6])
def test_gradients_are_really_clipped(trained, recipe, monkeypatch, limit):
    """The published script hands clipping an iterator that is used up."""
    norms = []
    step = torch.optim.AdamW.step

    def watched(self, *args, **kwargs):
        grads = [p.grad for group in self.param_groups for p in group["params"]]
        norms.append(float(torch.cat([g.flatten() for g in grads]).norm()))
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    trained("lora", recipe=recipe.changed(clip_norm=limit))
    assert len(norms) == 6
    if limit == 1e-3:
        assert norms == pytest.approx([1e-3] * 6, rel=1e-3)
    else:
        assert min(norms) > 1e-2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lora[rank=-1]", "rank=-1 must be at least 0"),
        ("lora[lr_scale=0]", "lr_scale=0.0 must be greater than 0"),
        ("lora[lr_scale=inf]", "lr_scale=inf must be greater than 0 and finite"),
    ],
)
def test_bad_parameters(text, said):
    with pytest.raises(UsageError, match=f"defense lora: {said}"):
        made(text)
