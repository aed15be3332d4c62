"""Attacks as the loader makes them, and models whose knowledge is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from bench.api import Attack
from bench.data import scenes
from bench.data.pairs import Pairs
from bench.models.base import Base, load_base
from bench.models.target import ModelTarget
from bench.plugins import instantiate, resolve


@pytest.fixture(scope="session")
def attack() -> Callable[[str], Attack]:
    return lambda text: instantiate("attack", resolve("attack", text))


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


@pytest.fixture
def oracle(pairs: Pairs, all_knowing: Any) -> Callable[..., ModelTarget]:
    """Knows the noise of members asked about with their own caption, and nothing else."""

    def make(members: Pairs, seed: int = 0) -> ModelTarget:
        generator = torch.Generator().manual_seed(1)

        def say(row: Recognised) -> Any:
            if pairs.ids[row.index] in members.ids and row.own_caption:
                return row.noise
            return torch.randn(row.noise.shape, generator=generator)

        return all_knowing(say, seed)

    return make
