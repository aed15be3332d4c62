"""Why SecMI can read backwards: its error is not monotone in how sharply a pair is fitted.

With an exact denoiser of N(mu, sigma^2) the t-error of a pair a fixed number of sigmas from mu
grows with sigma^2 up to about 2.2 q_t, q_t = (1 - abar_t) / abar_t, and falls beyond. Training
makes sigma smaller around members. Below the peak that lowers their error (SecMI's sign holds),
above it raises it (docs/secmi.md).
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.stats.roc import auc

SHARPER = 0.8
"""Variance around a member in units of a hold-out's."""


def scores(attack, call, base, target_of, pairs, variance):
    """SecMI of `pairs` on an exact denoiser with this variance, one value a pair, around 0."""
    latents = torch.from_numpy(
        np.sqrt(variance)[:, None, None, None]
        * np.random.default_rng(0).standard_normal((len(pairs), 4, 8, 8))
    ).float()
    spread = torch.from_numpy(variance).float().view(-1, 1, 1, 1)

    def denoise(noisy, times, text):
        a = base.alphas_cumprod[times].view(-1, 1, 1, 1)
        return (1 - a).sqrt() * noisy / (a * spread + 1 - a)

    target = target_of(denoise)
    target.shared._latents[pairs.ids] = latents
    return attack(call).features(target, pairs)[:, 0]


@pytest.mark.parametrize(
    ("t", "variance", "holds"),
    [(100, 0.02, True), (100, 1.0, False), (450, 1.0, True), (300, 0.2, True), (20, 0.3, False)],
)
def test_the_sign_turns_where_the_local_variance_passes_the_noise(
    attack, base, target_of, pairs, t, variance, holds
):
    noise = (1 - base.alphas_cumprod[t]) / base.alphas_cumprod[t]
    assert holds == (variance < 2.2 * noise)
    is_member = np.arange(len(pairs)) % 2 == 0
    each = np.where(is_member, SHARPER * variance, variance)
    found = scores(attack, f"secmi[t={t}]", base, target_of, pairs, each)
    known = auc(found[is_member], found[~is_member])
    assert known > 0.9 if holds else known < 0.1


def test_the_peak_lies_at_twice_the_noise(attack, base, target_of, pairs):
    grid = np.geomspace(0.02, 2.0, len(pairs))
    errors = np.empty(len(pairs))
    one = pairs.select(pairs.ids[:1])
    for i, variance in enumerate(grid):
        found = scores(attack, "secmi", base, target_of, one, np.array([variance]))
        errors[i] = -found[0]
    noise = float((1 - base.alphas_cumprod[100]) / base.alphas_cumprod[100])
    assert 1.8 * noise < grid[errors.argmax()] < 2.8 * noise


def test_the_denoiser_is_exact():
    """The mean of the noise given z_t, by Monte Carlo."""
    rng, a, variance = np.random.default_rng(1), 0.9, 0.3
    clean, noise = np.sqrt(variance) * rng.normal(size=10**6), rng.normal(size=10**6)
    noisy = np.sqrt(a) * clean + np.sqrt(1 - a) * noise
    slope = (noisy * noise).mean() / (noisy**2).mean()
    assert slope == pytest.approx(np.sqrt(1 - a) / (a * variance + 1 - a), rel=0.01)
