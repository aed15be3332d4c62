"""The algebra against diffusers' own scheduler."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDPMScheduler

from bench.models.diffusion import add_noise, as_noise, training_target

TIMES = torch.tensor([0, 1, 450, 700, 999])


@pytest.fixture
def scheduler() -> DDPMScheduler:
    return DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")


@pytest.fixture
def clean() -> torch.Tensor:
    return torch.randn(5, 4, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def noise() -> torch.Tensor:
    return torch.randn(5, 4, 8, 8, generator=torch.Generator().manual_seed(1))


def test_noising_is_that_of_diffusers(scheduler, clean, noise):
    ours = add_noise(clean, noise, scheduler.alphas_cumprod[TIMES])
    torch.testing.assert_close(ours, scheduler.add_noise(clean, noise, TIMES), rtol=0, atol=0)


def test_velocity_is_that_of_diffusers(scheduler, clean, noise):
    alpha_bar = scheduler.alphas_cumprod[TIMES]
    ours = training_target(clean, noise, alpha_bar, "v_prediction")
    torch.testing.assert_close(ours, scheduler.get_velocity(clean, noise, TIMES), rtol=0, atol=0)


def test_epsilon_needs_no_conversion(scheduler, clean, noise):
    alpha_bar = scheduler.alphas_cumprod[TIMES]
    assert training_target(clean, noise, alpha_bar, "epsilon") is noise
    assert as_noise(noise, clean, alpha_bar, "epsilon") is noise


def test_a_perfect_velocity_is_read_as_exactly_the_noise(scheduler, clean, noise):
    alpha_bar = scheduler.alphas_cumprod[TIMES]
    noisy = add_noise(clean, noise, alpha_bar)
    velocity = training_target(clean, noise, alpha_bar, "v_prediction")
    back = as_noise(velocity, noisy, alpha_bar, "v_prediction")
    torch.testing.assert_close(back, noise, rtol=0, atol=2e-6)


def test_each_row_has_its_own_timestep(scheduler, clean, noise):
    alpha_bar = scheduler.alphas_cumprod[TIMES]
    together = add_noise(clean, noise, alpha_bar)
    for row in range(len(TIMES)):
        alone = slice(row, row + 1)
        one = add_noise(clean[alone], noise[alone], alpha_bar[alone])
        torch.testing.assert_close(together[alone], one)


@pytest.mark.parametrize("kind", ["sample", "", "EPSILON"])
def test_other_prediction_types_are_refused_by_name(scheduler, clean, noise, kind):
    alpha_bar = scheduler.alphas_cumprod[TIMES]
    with pytest.raises(ValueError, match=f"'{kind}' is neither"):
        as_noise(noise, clean, alpha_bar, kind)
    with pytest.raises(ValueError, match=f"'{kind}' is neither"):
        training_target(clean, noise, alpha_bar, kind)
