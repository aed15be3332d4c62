"""Passes over all weights: the bits of the library's own, in less."""

from __future__ import annotations

import pytest
import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel

from bench.training.passes import average, clip

SIZES = (1, 3, 8, 17, 64, 1000, 4099)


def weights(seed):
    drawn = torch.Generator().manual_seed(seed)
    return [torch.nn.Parameter(torch.randn(n, generator=drawn)) for n in SIZES]


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.9, 0.9999])
def test_averages_are_those_of_diffusers(decay):
    ours, theirs = (EMAModel(weights(0), decay=decay, foreach=True) for _ in range(2))
    for step in range(1, 40):
        moved = weights(step)
        average(ours, moved)
        theirs.step(moved)
        assert ours.optimization_step == theirs.optimization_step == step
        assert ours.cur_decay_value == theirs.cur_decay_value
        for a, b in zip(ours.shadow_params, theirs.shadow_params, strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("limit", [1e-3, 1.0, 71.0, 72.0, 1e3])
def test_gradients_are_clipped_as_by_torch(limit):
    ours, theirs = weights(0), weights(0)
    for p, q in zip(ours, theirs, strict=True):
        p.grad, q.grad = p.detach().clone(), q.detach().clone()
    norm = torch.nn.utils.clip_grad_norm_(theirs, limit)
    assert 71.0 < norm < 73.0
    clip(Accelerator(cpu=True), ours, limit)
    for p, q in zip(ours, theirs, strict=True):
        assert torch.equal(p.grad, q.grad)


def test_a_weight_without_gradient_is_passed_over():
    ours = weights(0)
    ours[0].grad = torch.full_like(ours[0], 5.0)
    clip(Accelerator(cpu=True), ours, 1.0)
    assert float(ours[0].grad) == pytest.approx(1.0, rel=1e-5)
