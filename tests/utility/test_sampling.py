"""Samples depend on the model, the caption and the pair's id, and on nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

from bench.data import scenes
from bench.errors import BudgetError
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


def test_another_sampler_is_dpm_solver_of_second_order(base, prompts, usual):
    """The multistep solver by hand, Lu et al. 2022 (arXiv 2211.01095), Algorithm 2."""
    steps = Sampling(n=6, steps=16, guidance=2.0, sampler="dpm++")
    found = sample(base, prompts, steps, quietly)
    reference = DPMSolverMultistepScheduler.from_config(base.scheduler.config)
    reference.set_timesteps(steps.steps)
    times = [int(t) for t in reference.timesteps]
    a = base.scheduler.alphas_cumprod.double()
    drawn = [generator("sample", id_).standard_normal((4, 8, 8), "f4") for id_ in prompts.ids]
    z, before = torch.from_numpy(np.stack(drawn)).double(), None
    with torch.no_grad():
        text, null = encode_text(base, list(prompts.originals)), encode_text(base, [""] * 6)
        for number, t in enumerate(times):
            end = number + 1 == len(times)
            alpha, sigma = a[t].sqrt(), (1 - a[t]).sqrt()
            with_text, without = (base.unet(z.float(), t, s).sample.double() for s in (text, null))
            eps = without + steps.guidance * (with_text - without)
            clean = (z - sigma * eps) / alpha
            if end:  # to where no noise is left: the clean latent itself
                z = clean
                break
            after = a[times[number + 1]]
            after_alpha, after_sigma = after.sqrt(), (1 - after).sqrt()
            h = (after_alpha / after_sigma).log() - (alpha / sigma).log()
            guess = clean
            if before is not None:
                r = before[1] / h
                guess = (1 + 1 / (2 * r)) * clean - before[0] / (2 * r)
            z = after_sigma / sigma * z - after_alpha * (torch.exp(-h) - 1) * guess
            before = (clean, h)
        pixels = base.vae.decode(z.float() / base.scaling_factor).sample
    wanted = ((pixels / 2 + 0.5).clamp(0, 1) * 255).round().permute(0, 2, 3, 1).numpy()
    assert gap(wanted, found) <= TRIFLE
    assert not np.array_equal(found, usual)


@pytest.mark.parametrize(("room", "batches"), [(5, 3), (2, 6)])
def test_prompts_that_do_not_fit_the_memory_are_fewer_at_once(base, prompts, usual, room, batches):
    """Two rows a prompt, since guidance asks twice."""

    def fail(network, args):
        if len(args[0]) > room:
            raise torch.OutOfMemoryError

    hook = base.unet.register_forward_pre_hook(fail)
    told = []
    try:
        found = sample(base, prompts, STEPS, lambda done, of: told.append((done, of)))
    finally:
        hook.remove()
    assert gap(found, usual) <= TRIFLE
    assert told[-1] == (6, 6)
    assert len(told) == batches


def test_one_prompt_that_does_not_fit_is_said(base, prompts):
    def fail(network, args):
        raise torch.OutOfMemoryError

    hook = base.unet.register_forward_pre_hook(fail)
    try:
        with pytest.raises(BudgetError, match="sampling one picture does not fit"):
            sample(base, prompts, STEPS, quietly)
    finally:
        hook.remove()
