"""`min_snr`: the weights of Hang et al."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from defended import made
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr

from bench.errors import UsageError

TIMES = torch.arange(0, 1000, 37)


def weights(text, alphas, kind):
    training = SimpleNamespace(alphas=lambda times: alphas[times], prediction_type=kind)
    return made(text).weigh(None, SimpleNamespace(times=TIMES), training)


@pytest.mark.parametrize("gamma", [1.0, 5.0, 20.0])
@pytest.mark.parametrize(("kind", "more"), [("epsilon", 0), ("v_prediction", 1)])
def test_weights_are_those_of_the_diffusers_script(gamma, kind, more):
    scheduler = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000
    )
    snr = compute_snr(scheduler, TIMES)
    wanted = snr.clamp(max=gamma) / (snr + more)
    found = weights(f"min_snr[gamma={gamma}]", scheduler.alphas_cumprod, kind)
    torch.testing.assert_close(found, wanted)


def test_on_the_usual_schedule_nothing_changes_from_147_on():
    alphas = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"
    ).alphas_cumprod
    found = weights("min_snr", alphas, "epsilon")
    assert ((found == 1.0) == (TIMES >= 147)).all()


def test_pure_noise_has_a_weight():
    alphas = torch.zeros(1000)
    assert weights("min_snr", alphas, "epsilon").tolist() == [1.0] * len(TIMES)
    assert weights("min_snr", alphas, "v_prediction").tolist() == [0.0] * len(TIMES)


def test_strength_zero_trains_the_weights_of_none(trained, undefended):
    assert trained("min_snr[gamma=inf]").bytes == undefended.bytes
    assert trained("min_snr").bytes != undefended.bytes


@pytest.mark.parametrize("gamma", ["0", "-1", "nan"])
def test_bad_parameters(gamma):
    with pytest.raises(UsageError, match="defense min_snr: gamma=.* must be greater than 0"):
        made(f"min_snr[gamma={gamma}]")
