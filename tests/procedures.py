"""Tiny trainings under defenses that change how one trains; killed and taken up at will."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from bench.api import Defense
from bench.composition import Composition
from bench.data import scenes
from bench.data.pairs import Pairs
from bench.models.base import load_base
from bench.plugins import load_module, shipped_folder
from bench.training import loop
from bench.training.means import Means
from bench.training.recipe import Recipe

RECIPE = Recipe(name="test", epochs=3, batch=4, lr=1e-3, ema_decay=0.9, crop_margin=2)
DRAWN = scenes.pairs()
PAIRS = DRAWN.select(DRAWN.ids[:10])
AUXILIARY = DRAWN.select(DRAWN.ids[20:28])


class Killed(BaseException):
    """Ends a training in the middle."""


def family(stem: str) -> Any:
    """A shipped file of defenses, as the plugin loader finds it."""
    return load_module(shipped_folder("defense") / f"{stem}.py")


class Trained:
    """What one training left behind."""

    def __init__(self, folder: Path, notes: dict[str, Any], figures: dict[str, Any]) -> None:
        self.work, self.figures = folder / "work", figures
        self.bytes = (folder / "out" / "unet.safetensors").read_bytes()
        self.weights = load_file(folder / "out" / "unet.safetensors")
        self.notes = notes
        self.units: list[tuple[int, int, str]] = []


class Trainings:
    """Trains on fresh copies of a base."""

    def __init__(self, base: Path, folder: Path) -> None:
        self._base, self._folder, self._names = base, folder, iter(range(1000))

    def __call__(
        self,
        make: Callable[[], Sequence[Defense]] = lambda: (),
        *,
        kills: Sequence[tuple[str, int]] = (),
        recipe: Recipe = RECIPE,
        pairs: Pairs = PAIRS,
        auxiliary: Pairs = AUXILIARY,
        base: Path | None = None,
    ) -> Trained:
        """`kills`: (unit, done) at which it is killed, one after the other, each time taken up."""
        folder = self._folder / f"training-{next(self._names)}"
        for part in ("work", "out"):
            (folder / part).mkdir(parents=True)
        told: list[tuple[int, int, str]] = []

        def start(kill: tuple[str, int] | None) -> Trained:
            def progress(done: int, of: int, unit: str) -> None:
                told.append((done, of, unit))
                if kill and unit == kill[0] and done >= kill[1]:
                    raise Killed

            defense = Composition(list(make()))
            task = loop.Task(pairs, recipe, "default", 0, auxiliary, defense)
            ready = load_base(base or self._base)
            means = Means(checkpoint_seconds=0 if kills else 20)
            figures = loop.train(ready, task, folder / "work", folder / "out", progress, means)
            return Trained(folder, defense.notes, figures)

        for number, kill in enumerate(kills):
            torch.manual_seed(number)
            with pytest.raises(Killed):
                start(kill)
        torch.manual_seed(99)
        trained = start(None)
        trained.units = told
        return trained
