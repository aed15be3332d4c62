"""Tiny trainings: a fresh base each, since training writes to its U-Net."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from bench.composition import Composition
from bench.data import scenes
from bench.data.pairs import Pairs
from bench.models.base import Base, load_base
from bench.training.loop import Task, train
from bench.training.means import Means
from bench.training.recipe import Recipe

Weights = dict[str, torch.Tensor]
RECIPE = Recipe(name="test", epochs=3, batch=4, lr=1e-3, ema_decay=0.9, crop_margin=2)


@pytest.fixture
def recipe() -> Recipe:
    return RECIPE


@pytest.fixture
def fresh(tiny_base: Path) -> Callable[[], Base]:
    """A base whose U-Net nobody has trained."""
    return lambda: load_base(tiny_base)


@pytest.fixture(scope="session")
def pairs() -> Pairs:
    """Ten pairs, so that an epoch of batches of four ends with a smaller one."""
    drawn = scenes.pairs()
    return drawn.select(drawn.ids[:10])


class Trained:
    """What one call of `train` left behind."""

    def __init__(self, out: Path, figures: dict[str, Any]) -> None:
        self.figures = figures
        self.weights: Weights = load_file(out / "unet.safetensors")
        self.kept = {path.stem: load_file(path) for path in out.glob("unet-*.safetensors")}
        self.bytes = {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.fixture
def training(fresh, pairs, tmp_path) -> Callable[..., Trained]:
    """Trains on a fresh base; what is not said is as in the usual recipe."""
    names = iter(range(1000))

    def run(
        recipe: Recipe = RECIPE,
        pairs: Pairs = pairs,
        augment: str = "default",
        seed: int = 0,
        work: Path | None = None,
        progress: Callable[[int, int, str], None] = lambda done, of, unit: None,
        base: Base | None = None,
        defense: Composition | None = None,
        auxiliary: Pairs | None = None,
        means: Means | None = None,
    ) -> Trained:
        folder = tmp_path / f"training-{next(names)}"
        out, work = folder / "out", work or folder / "work"
        out.mkdir(parents=True)
        work.mkdir(parents=True, exist_ok=True)
        task = Task(pairs, recipe, augment, seed, auxiliary or pairs, defense or Composition())
        figures = train(base or fresh(), task, work, out, progress, means)
        return Trained(out, figures)

    return run


@pytest.fixture
def assert_close(fresh) -> Callable[[Weights, Weights, float], None]:
    """Two trainings ended apart by at most `share` of the way they went, as Euclidean lengths.

    Not weight by weight: Adam takes a full step along a gradient that is nothing but rounding.
    """
    start = fresh().unet.state_dict()

    def check(ours: Weights, theirs: Weights, share: float) -> None:
        assert ours.keys() == theirs.keys()
        gap = torch.cat([(ours[n] - theirs[n]).flatten() for n in ours]).norm()
        way = torch.cat([(theirs[n] - start[n]).flatten() for n in theirs]).norm()
        assert gap <= share * way, f"{gap / way:.1e} of the way"

    return check
