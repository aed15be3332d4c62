"""Attacks as the loader makes them, and models whose knowledge is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from bench.api import Attack, ReferenceAttack
from bench.data import scenes
from bench.data.pairs import Pairs
from bench.models.base import Base, load_base
from bench.models.target import ModelTarget
from bench.plugins import instantiate, resolve
from bench.rng import generator

BETAS = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
ABAR = np.cumprod(1 - BETAS)
"""Stable Diffusion's schedule in float64, from the betas of its configuration alone."""


@pytest.fixture(scope="session")
def attack() -> Callable[[str], Attack]:
    return lambda text: instantiate("attack", resolve("attack", text))


@pytest.fixture(scope="session")
def ask() -> Callable[..., Any]:
    """Features of an attack; one that compares is handed what it observes of `reference`."""

    def features(made: Attack, target: Any, pairs: Pairs, reference: Any = None) -> Any:
        if isinstance(made, ReferenceAttack) and made.reference != "none":
            return made.compare(target, pairs, made.observe(reference, pairs))
        return made.features(target, pairs)

    return features


@pytest.fixture(scope="session")
def base(tiny_base: Path) -> Base:
    return load_base(tiny_base)


@pytest.fixture(scope="session")
def pairs() -> Pairs:
    drawn = scenes.pairs()
    return drawn.select(drawn.ids[:24])


class Network(nn.Module):
    """A U-Net whose output is changed by `answer(noisy, times, text)`; counts its rows."""

    def __init__(self, unet: Any, answer: Callable[..., Any] | None = None) -> None:
        super().__init__()
        self.unet, self.config, self.rows = unet, unet.config, 0
        self.answer = answer or (lambda *asked: unet(*asked).sample)

    def forward(self, noisy: Any, times: Any, encoder_hidden_states: Any) -> Any:
        self.rows += len(noisy)
        return SimpleNamespace(sample=self.answer(noisy, times, encoder_hidden_states))


@pytest.fixture
def target_of(base: Base) -> Callable[..., ModelTarget]:
    """A target whose network answers as it is told to."""

    def make(answer: Callable[..., Any] | None = None, seed: int = 0, **more: Any) -> ModelTarget:
        return ModelTarget(replace(base, unet=Network(base.unet, answer)), seed, **more)

    return make


class Recognised(NamedTuple):
    """Whose row it is, its true noise, and whether it was asked about with its own caption."""

    index: int
    noise: Any
    own_caption: bool


@pytest.fixture
def all_knowing(base: Base, pairs: Pairs, target_of: Any) -> Callable[..., ModelTarget]:
    """A target that recognises every row; `say(recognised)` is its answer."""

    def make(say: Callable[[Recognised], Any], seed: int = 0) -> ModelTarget:
        asked = ModelTarget(base, seed)
        clean, text = asked.latents(pairs), asked.text(pairs.captions)

        def answer(noisy: Any, times: Any, states: Any) -> Any:
            said = []
            for row, t in enumerate(times.tolist()):
                a, noise = base.alphas_cumprod[t], asked.noise(pairs, t)
                noised = a.sqrt() * clean + (1 - a).sqrt() * noise
                index = int((noised - noisy[row]).flatten(1).norm(dim=1).argmin())
                own = bool((text[index] - states[row]).norm() < 1e-2)
                said.append(say(Recognised(index, noise[index], own)))
            return torch.stack(said)

        return target_of(answer, seed)

    return make


class Pooled:
    """A VAE that keeps every second pixel, so that latents are of the pixels' size and known."""

    config = SimpleNamespace(block_out_channels=(8, 16), scaling_factor=1.5)

    def encode(self, x: Any) -> Any:
        corner, other = x[:, :, ::2, ::2], x[:, :1, 1::2, 1::2]
        mean = torch.cat([corner, other], dim=1)
        return SimpleNamespace(latent_dist=SimpleNamespace(mean=mean))


class Linear:
    """A model with eps(z, t, c) = gain_t (z - pull_t mu_c), as a target and in float64 numpy.

    `mu_c` has one value a channel, from the text states. What the attacks should say of it is
    written down with numpy, from the pictures and the betas on.
    """

    def __init__(self, base: Base, pairs: Pairs, gain: Any, pull: Any) -> None:
        self.base, self.pairs, self.gain, self.pull = replace(base, vae=Pooled()), pairs, gain, pull

    def target(self, prediction_type: str = "epsilon", seed: int = 0, **more: Any) -> ModelTarget:
        def answer(noisy: Any, times: Any, states: Any) -> Any:
            t, z = int(times[0]), noisy.double()
            mu = 4 * states.double()[:, :, :4].mean(dim=1)[:, :, None, None]
            said = self.gain(t) * (z - self.pull(t) * mu)
            if prediction_type == "v_prediction":
                said = (said - (1 - ABAR[t]) ** 0.5 * z) / ABAR[t] ** 0.5
            return said.float()

        network = Network(self.base.unet, answer)
        config = self.base.scheduler.config
        scheduler = type(self.base.scheduler).from_config(config, prediction_type=prediction_type)
        return ModelTarget(replace(self.base, unet=network, scheduler=scheduler), seed, **more)

    def z0(self, crop: float = 1.0) -> Any:
        """Latents with nothing but PIL: the middle floor(16 crop) pixels, scaled back."""
        rows = []
        for id_ in self.pairs.ids:
            picture = self.pairs.image(id_).resize((16, 16), Image.Resampling.BILINEAR)
            inner = int(16 * crop)
            edge = (16 - inner) // 2
            picture = picture.crop((edge, edge, edge + inner, edge + inner))
            picture = picture.resize((16, 16), Image.Resampling.BILINEAR)
            x = np.asarray(picture, dtype=np.float64).transpose(2, 0, 1) / 127.5 - 1
            rows.append(1.5 * np.concatenate([x[:, ::2, ::2], x[:1, 1::2, 1::2]]))
        return np.stack(rows)

    def mu(self, captions: Any = None, text_noise: float = 0.0) -> Any:
        states = self.target().text(captions or self.pairs.captions).double().numpy()
        if text_noise:
            keys = [generator(0, "text-noise", id_) for id_ in self.pairs.ids]
            draws = [key.standard_normal(states.shape[1:], dtype=np.float32) for key in keys]
            spread = states.reshape(len(states), -1).std(axis=1, ddof=1)[:, None, None]
            states = states + text_noise * spread * np.stack(draws)
        return 4 * states[:, :, :4].mean(axis=1)[:, :, None, None]

    def noise(self, t: int) -> Any:
        return self.target().noise(self.pairs, t).double().numpy()

    def eps(self, z: Any, t: int, mu: Any) -> Any:
        return self.gain(t) * (z - self.pull(t) * mu)

    def noised(self, t: int, noise: Any, crop: float = 1.0) -> Any:
        return ABAR[t] ** 0.5 * self.z0(crop) + (1 - ABAR[t]) ** 0.5 * noise

    def own(self, t: int) -> Any:
        """The prediction at the pairs' own noise and caption."""
        return self.eps(self.noised(t, self.noise(t)), t, self.mu())

    def loss(
        self, t: int, captions: Any = None, *, crop: float = 1.0, text_noise: float = 0.0
    ) -> Any:
        noise = self.noise(t)
        said = self.eps(self.noised(t, noise, crop), t, self.mu(captions, text_noise))
        return ((said - noise) ** 2).mean(axis=(1, 2, 3))


def gaussian(sigma: float) -> tuple[Any, Any]:
    """The best denoiser of z_0 ~ N(mu_c, sigma^2)."""
    return (
        lambda t: (1 - ABAR[t]) ** 0.5 / (ABAR[t] * sigma**2 + 1 - ABAR[t]),
        lambda t: ABAR[t] ** 0.5,
    )


def wavy(shift: float) -> tuple[Any, Any]:
    """A denoiser of nothing, whose answers at neighbouring timesteps lie far apart."""
    return lambda t: float(np.cos(t + shift)), lambda t: 1.0


FORMS = {"gaussian": (gaussian(0.6), gaussian(0.9)), "wavy": (wavy(0.0), wavy(0.5))}


@pytest.fixture(params=list(FORMS))
def linear(request: Any, base: Base, pairs: Pairs) -> Linear:
    return Linear(base, pairs, *FORMS[request.param][0])


@pytest.fixture
def reference(request: Any, linear: Linear, base: Base, pairs: Pairs) -> Linear:
    """Another model of the same form."""
    form = request.node.callspec.params["linear"]
    return Linear(base, pairs, *FORMS[form][1])


@pytest.fixture
def models(base: Base, pairs: Pairs) -> tuple[Linear, Linear]:
    """Two of the wavy form, whose answers no cancellation spoils."""
    first, second = (Linear(base, pairs, *form) for form in FORMS["wavy"])
    return first, second
