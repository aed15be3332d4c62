"""Samples depend on the model, the caption and the pair's id, and on nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from bench.data import scenes
from bench.models.base import encode_text, load_base
from bench.rng import generator
from bench.specs import Sampling
from bench.utility import sampling as module
from bench.utility.sampling import sample

STEPS = Sampling(n=6, steps=4, guidance=3.0)
TRIFLE = 1
"""Grey levels by which a batch of another size may differ after rounding; seen: 0."""


@pytest.fixture(scope="module")
def base(tiny_base):
    return load_base(tiny_base)


@pytest.fixture(scope="module")
def prompts():
    drawn = scenes.pairs()
    return drawn.select(drawn.ids[:6])


def quietly(done, of):
    pass


@pytest.fixture(scope="module")
def usual(base, prompts):
    return sample(base, prompts, STEPS, quietly)


def gap(ours, theirs):
    return int(abs(ours.astype(int) - theirs.astype(int)).max())


def test_samples_are_uint8_pictures_of_the_base_s_size(usual):
    assert usual.shape == (6, 16, 16, 3)
    assert usual.dtype == np.uint8
    assert usual.std() > 1


def test_sampling_is_deterministic_and_reads_no_global_generator(base, prompts, usual):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert np.array_equal(sample(base, prompts, STEPS, quietly), usual)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("batch", [1, 4])
def test_batch_size_does_not_matter(base, prompts, usual, batch, monkeypatch):
    monkeypatch.setattr(module, "BATCH", batch)
    assert gap(sample(base, prompts, STEPS, quietly), usual) <= TRIFLE


def test_order_and_company_of_prompts_do_not_matter(base, prompts, usual):
    order = [4, 0, 5, 2]
    some = prompts.select([prompts.ids[i] for i in order])
    assert gap(sample(base, some, STEPS, quietly), usual[order]) <= TRIFLE


def test_the_original_caption_is_the_prompt(base, prompts, usual):
    changed = prompts.with_captions(["something else"] * 6)
    assert np.array_equal(sample(base, changed, STEPS, quietly), usual)
    renamed = replace(prompts, originals=("something else",) * 6)
    assert gap(sample(base, renamed, STEPS, quietly), usual) > TRIFLE


def test_start_noise_is_keyed_by_the_pair_s_id_alone(base, prompts):
    met = []

    def remember(network, args):
        met.append(args[0])

    for captions in (prompts.originals, ("another caption",) * 6):
        handle = base.unet.register_forward_pre_hook(remember)
        sample(base, replace(prompts, originals=captions), STEPS, quietly)
        handle.remove()
    first, other = met[0], met[STEPS.steps]
    wanted = [
        generator("sample", id_).standard_normal((4, 8, 8), dtype=np.float32) for id_ in prompts.ids
    ]
    for half in (*first.chunk(2), *other.chunk(2)):  # guidance asks twice
        assert np.array_equal(half.numpy(), np.stack(wanted))


def test_samples_are_those_of_a_plain_guided_ddim_loop(base, prompts, usual):
    scheduler = DDIMScheduler.from_config(base.scheduler.config)
    scheduler.set_timesteps(STEPS.steps)
    z = torch.from_numpy(
        np.stack(
            [
                generator("sample", id_).standard_normal((4, 8, 8), dtype=np.float32)
                for id_ in prompts.ids
            ]
        )
    )
    with torch.no_grad():
        text, null = encode_text(base, list(prompts.originals)), encode_text(base, [""] * 6)
        for t in scheduler.timesteps:
            with_text, without = (base.unet(z, t, states).sample for states in (text, null))
            guided = without + STEPS.guidance * (with_text - without)
            z = scheduler.step(guided, t, z, eta=0.0).prev_sample
        pixels = base.vae.decode(z / base.scaling_factor).sample
    wanted = ((pixels / 2 + 0.5).clamp(0, 1) * 255).round().permute(0, 2, 3, 1).numpy()
    assert gap(wanted, usual) <= TRIFLE


def test_steps_and_guidance_are_used(base, prompts, usual):
    for changes in ({"steps": 5}, {"guidance": 1.0}):
        other = sample(base, prompts, STEPS.model_copy(update=changes), quietly)
        assert not np.array_equal(other, usual)


def test_progress_ends_at_the_number_of_prompts(base, prompts, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 4)
    told = []
    sample(base, prompts, STEPS, lambda done, of: told.append((done, of)))
    assert told == [(4, 6), (6, 6)]
