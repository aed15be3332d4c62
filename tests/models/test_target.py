"""What an attacker is told: right, independent of how it is asked, and counted."""

from __future__ import annotations

import random
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler
from PIL import Image
from torch import nn

from bench.data.pairs import Pairs
from bench.errors import UsageError
from bench.models.target import ModelTarget

TIMES = [440, 450, 460]
CLOSE = 1e-5
"""Relative; 1e-7 is what different batch sizes were seen to make of a loss."""


class Wrapped(nn.Module):
    """A U-Net seen through `change(times, noisy, text, output)`; remembers the rows it was fed."""

    def __init__(self, unet, change=lambda times, noisy, text, output: output):
        super().__init__()
        self.unet, self.config, self.change, self.rows = unet, unet.config, change, 0

    def forward(self, noisy, times, encoder_hidden_states):
        self.rows += len(noisy)
        output = self.unet(noisy, times, encoder_hidden_states=encoder_hidden_states).sample
        return SimpleNamespace(sample=self.change(times, noisy, encoder_hidden_states, output))


class Deaf(Wrapped):
    """Ignores text."""

    def forward(self, noisy, times, encoder_hidden_states):
        return super().forward(noisy, times, torch.zeros_like(encoder_hidden_states))


@pytest.fixture
def target(base):
    return ModelTarget(base, seed=3)


@pytest.fixture(scope="module")
def usual(base, pairs):
    return ModelTarget(base, seed=3).losses(pairs, TIMES)


def plain_losses(base, target, pairs, captions):
    """Pair by pair and timestep by timestep, with nothing but PIL, transformers and diffusers."""
    scheduler = DDPMScheduler.from_pretrained(base.folder, subfolder="scheduler")
    rows = []
    for i, id_ in enumerate(pairs.ids):
        picture = pairs.image(id_).resize((16, 16), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255 * 2 - 1
        words = base.tokenizer(
            captions[i], padding="max_length", truncation=True, return_tensors="pt"
        )
        row = []
        for t in TIMES:
            with torch.no_grad():
                clean = base.vae.encode(pixels).latent_dist.mode() * base.vae.config.scaling_factor
                text = base.text_encoder(words.input_ids).last_hidden_state
                noise = target.noise(pairs.select([id_]), t)
                noisy = scheduler.add_noise(clean, noise, torch.tensor([t]))
                row.append(F.mse_loss(base.unet(noisy, t, text).sample, noise).item())
        rows.append(row)
    return np.array(rows)


def test_losses_are_those_of_a_plain_diffusers_computation(base, target, pairs, usual):
    some = pairs.select(pairs.ids[:6])
    np.testing.assert_allclose(
        usual[:6], plain_losses(base, target, some, some.captions), rtol=CLOSE
    )
    others = [caption[:9] for caption in some.captions]
    np.testing.assert_allclose(
        target.losses(some, TIMES, others), plain_losses(base, target, some, others), rtol=CLOSE
    )


def test_losses_are_float64_one_row_a_pair(usual, pairs):
    assert usual.dtype == np.float64
    assert usual.shape == (len(pairs), len(TIMES))
    assert len(np.unique(usual)) == usual.size


@pytest.mark.parametrize("rows", [1, 2, 7, 60, 1000])
def test_losses_do_not_depend_on_the_batch_size(base, pairs, usual, rows):
    found = ModelTarget(base, seed=3, rows=rows).losses(pairs, TIMES)
    np.testing.assert_allclose(found, usual, rtol=CLOSE)


def test_losses_do_not_depend_on_the_order_of_pairs(target, pairs, usual):
    order = np.random.default_rng(0).permutation(len(pairs))
    shuffled = pairs.select([pairs.ids[i] for i in order])
    np.testing.assert_allclose(target.losses(shuffled, TIMES), usual[order], rtol=CLOSE)


def test_losses_do_not_depend_on_the_order_of_timesteps(target, pairs, usual):
    np.testing.assert_allclose(target.losses(pairs, TIMES[::-1]), usual[:, ::-1], rtol=CLOSE)
    np.testing.assert_allclose(target.losses(pairs, [450])[:, 0], usual[:, 1], rtol=CLOSE)


def test_losses_do_not_depend_on_what_was_asked_before(target, pairs, usual):
    target.losses(pairs.select(pairs.ids[5:8]), [10, 990], ["", "x", "y"])
    target.predict(target.noise(pairs, 7), 7, target.text(pairs.captions))
    np.testing.assert_allclose(target.losses(pairs, TIMES), usual, rtol=CLOSE)


def test_the_same_question_twice_has_exactly_the_same_answer(target, pairs, usual):
    assert np.array_equal(target.losses(pairs, TIMES), usual)
    assert np.array_equal(target.losses(pairs, TIMES), usual)


def test_no_global_generator_is_read_or_moved(base, pairs, usual):
    torch.manual_seed(11)
    np.random.seed(11)  # noqa: NPY002
    random.seed(11)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    found = ModelTarget(base, seed=3).losses(pairs, TIMES)
    assert np.array_equal(found, usual)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert random.getstate() == before[2]


def test_equal_captions_give_no_difference_at_all(target, pairs, usual):
    assert np.array_equal(target.losses(pairs, TIMES, list(pairs.captions)), usual)
    assert np.array_equal(
        target.losses(pairs.with_captions([""] * 20), TIMES, pairs.captions), usual
    )


def test_other_captions_give_other_losses(target, pairs, usual):
    assert np.all(target.losses(pairs, TIMES, [""] * len(pairs)) != usual)


def test_other_captions_meet_the_same_latents_and_noise(base, pairs):
    seen = []

    def remember(times, noisy, text, output):
        seen.append(noisy.clone())
        return output

    target = ModelTarget(replace(base, unet=Wrapped(base.unet, remember)), seed=3)
    target.losses(pairs, TIMES)
    target.losses(pairs, TIMES, ["something else"] * len(pairs))
    assert torch.equal(torch.cat(seen[:3]), torch.cat(seen[3:]))


def test_a_network_that_ignores_text_knows_no_difference(base, pairs):
    target = ModelTarget(replace(base, unet=Deaf(base.unet)), seed=3)
    full, null = target.losses(pairs, TIMES), target.losses(pairs, TIMES, [""] * len(pairs))
    assert np.array_equal(full, null)


def test_every_row_is_counted(base, pairs):
    network = Wrapped(base.unet)
    told = []
    target = ModelTarget(replace(base, unet=network), seed=3, rows=7, progress=told.append)
    target.latents(pairs)
    target.noise(pairs, 3)
    target.text(pairs.captions)
    assert target.queries == network.rows == 0
    target.losses(pairs, TIMES)
    assert target.queries == network.rows == told[-1] == 60
    target.losses(pairs, [1], [""] * len(pairs))
    target.predict(target.noise(pairs, 7), 7, target.text(pairs.captions))
    assert target.queries == network.rows == told[-1] == 100


def test_the_wrong_number_of_captions_is_refused(target, pairs):
    with pytest.raises(ValueError, match="1 captions for 20 pairs"):
        target.losses(pairs, TIMES, ["one"])


def test_more_timesteps_than_rows_are_still_answered(base, pairs, usual):
    found = ModelTarget(base, seed=3, rows=2).losses(pairs, [*TIMES, 470])
    np.testing.assert_allclose(found[:, :3], usual, rtol=CLOSE)


def test_latents_are_scaled_posterior_means(base, target, pairs):
    some = pairs.select(pairs.ids[:3])
    pixels = [
        np.asarray(some.image(id_).resize((16, 16), Image.Resampling.BILINEAR)) for id_ in some.ids
    ]
    images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        posterior = base.vae.encode(images).latent_dist
    found = target.latents(some)
    torch.testing.assert_close(found, posterior.mean * base.scaling_factor, rtol=CLOSE, atol=1e-6)
    assert posterior.std.min() > 0.1  # so a sample would have been seen


def test_latents_of_an_oblong_picture_are_those_of_its_middle(base, target):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 40, 3), dtype=np.uint8)
    shown = {"wide": Image.fromarray(pixels), "middle": Image.fromarray(pixels[:, 12:28])}
    both = Pairs(("wide", "middle"), ("a", "b"), ("a", "b"), shown.__getitem__)
    wide, middle = target.latents(both)
    assert torch.equal(wide, middle)


def test_noise_is_keyed_by_seed_pair_and_timestep_and_nothing_else(base, target, pairs):
    noise = target.noise(pairs, 450)
    assert noise.shape == target.latents(pairs).shape
    flat = noise.flatten(1)
    assert len(torch.unique(flat, dim=0)) == len(pairs)
    assert torch.all(flat != target.noise(pairs, 451).flatten(1))
    assert torch.all(flat != ModelTarget(base, seed=4).noise(pairs, 450).flatten(1))
    renamed = pairs.with_captions(["other"] * len(pairs)).select(pairs.ids[::-1])
    again = ModelTarget(base, seed=3, rows=2)
    again.losses(pairs, [9])
    assert torch.equal(again.noise(renamed, 450).flip(0), noise)


def test_noise_is_standard_normal(target, pairs):
    many = torch.cat([target.noise(pairs, t) for t in range(20)]).double()
    n = many.numel()
    assert abs(many.mean()) < 4 / n**0.5
    assert abs(many.std() - 1) < 4 / (2 * n) ** 0.5
    lag = torch.corrcoef(many.flatten(1))[~torch.eye(400, dtype=bool)]
    assert lag.abs().max() < 6 / 256**0.5


def test_text_of_a_caption_does_not_depend_on_its_neighbours(target, pairs):
    together = target.text(pairs.captions)
    alone = torch.cat([target.text([caption]) for caption in pairs.captions])
    torch.testing.assert_close(together, alone, rtol=CLOSE, atol=1e-6)


def test_a_velocity_model_of_the_same_function_has_the_same_losses(base, pairs, usual):
    def to_velocity(times, noisy, text, output):
        a = base.alphas_cumprod[times].view(-1, 1, 1, 1)
        return (output - (1 - a).sqrt() * noisy) / a.sqrt()

    scheduler = DDPMScheduler.from_config(base.scheduler.config, prediction_type="v_prediction")
    other = replace(base, unet=Wrapped(base.unet, to_velocity), scheduler=scheduler)
    np.testing.assert_allclose(ModelTarget(other, seed=3).losses(pairs, TIMES), usual, rtol=CLOSE)


def test_predict_gives_the_noise_that_losses_are_made_of(target, pairs, usual):
    noise, clean = target.noise(pairs, 450), target.latents(pairs)
    noisy = target.base.scheduler.add_noise(clean, noise, torch.full((len(pairs),), 450))
    predicted = target.predict(noisy, 450, target.text(pairs.captions))
    errors = (predicted - noise).double().square().flatten(1).mean(1).numpy()
    np.testing.assert_allclose(errors, usual[:, 1], rtol=CLOSE)


@pytest.mark.parametrize("t", [-1, 1000])
def test_a_timestep_that_the_model_does_not_know_is_refused(target, pairs, t):
    with pytest.raises(UsageError, match="outside the model's 0 to 999"):
        target.losses(pairs, [t])
