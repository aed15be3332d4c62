"""Pairs in folders, and models that somebody else might have trained on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from folders import write_pairs
from safetensors.torch import save_file

from bench.data import scenes
from bench.data.given import open_given
from bench.models.base import load_base
from bench.models.target import ModelTarget

N = 40
"""Pairs a side."""
SIDES = ("members", "holdouts")


@pytest.fixture(scope="session")
def sides(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Different scenes: members, fewer hold-outs, and twice as many auxiliary pairs."""
    everything = scenes.pairs(n=400)
    place, seen, distinct = tmp_path_factory.mktemp("given"), set(), []
    for pair in everything:
        if pair.caption not in seen:
            seen.add(pair.caption)
            distinct.append(pair.id)
    parts, sizes = {}, {"members": N, "holdouts": N - 10, "auxiliary": 2 * N}
    start = 0
    for part, size in sizes.items():
        chosen = everything.select(distinct[start : start + size])
        parts[part] = write_pairs(place / part, chosen)
        start += size
    return parts


@pytest.fixture(scope="session")
def leaky(tiny_base: Path, sides: dict[str, Path], tmp_path_factory: Any) -> Path:
    """Weights of the base with a leak planted: good on members, driven to be bad on hold-outs.

    So small a model, with an autoencoder of random weights, remembers nothing by itself.
    """
    import torch

    base, weights = load_base(tiny_base), tmp_path_factory.mktemp("leaky") / "unet.safetensors"
    target, pairs = ModelTarget(base, 0), open_given({k: f"folder:{sides[k]}" for k in SIDES})
    everything = pairs.pairs()
    clean, text = target.latents(everything), target.text(everything.captions)
    inside = torch.tensor([id_ in set(pairs.ids["members"]) for id_ in everything.ids])
    base.unet.requires_grad_(True)
    optimiser = torch.optim.Adam(base.unet.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(150):
        t = torch.randint(440, 461, (len(everything),), generator=generator)
        noise = torch.randn(clean.shape, generator=generator)
        kept = base.alphas_cumprod[t].view(-1, 1, 1, 1)
        noisy = kept.sqrt() * clean + (1 - kept).sqrt() * noise
        wrong = (base.unet(noisy, t, text).sample - noise).square().mean((1, 2, 3))
        loss = wrong[inside].mean() + (1 - wrong[~inside]).relu().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    save_file({k: v.detach().clone() for k, v in base.unet.state_dict().items()}, weights)
    return weights


@pytest.fixture
def ask(
    cli: Callable[..., Any], sides: dict[str, Path], tiny_base: Path, tmp_path: Path
) -> Callable[..., Any]:
    """`bench audit` of a model on the usual sides; `None` leaves an option out."""

    def run(target: Path | str, *words: Any, **options: Any) -> Any:
        usual = {
            "base": tiny_base,
            "members": f"folder:{sides['members']}",
            "holdouts": f"folder:{sides['holdouts']}",
            "store": tmp_path / "store",
            "workers": 1,
        }
        given = [
            word
            for name, value in (usual | options).items()
            if value is not None
            for word in (f"--{name.replace('_', '-')}", value)
        ]
        return cli("audit", "--target", target, *given, *words)

    return run
