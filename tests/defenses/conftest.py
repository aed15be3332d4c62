"""Trainings of a second under a defense."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from defended import made
from safetensors.torch import load_file

from bench.api import Context, Pairs
from bench.composition import Composition
from bench.data import scenes
from bench.models.base import load_base
from bench.training import loop
from bench.training.means import Means
from bench.training.recipe import Recipe
from bench.training.trainer import Trainer

RECIPE = Recipe(name="test", epochs=2, batch=4, lr=1e-3, ema_decay=0.9, crop_margin=2)


class Killed(BaseException):
    """Ends a training in the middle."""


@pytest.fixture(scope="session")
def few() -> Pairs:
    """Ten scenes, so that an epoch of batches of four ends with a smaller one."""
    drawn = scenes.pairs()
    return drawn.select(drawn.ids[:10])


class Trained:
    """What one training under a defense left behind."""

    def __init__(
        self,
        out: Path,
        defense: Composition,
        read: Counter[tuple[str, str]],
        figures: dict[str, Any],
    ) -> None:
        self.figures = figures
        self.weights = load_file(out / "unet.safetensors")
        self.bytes = (out / "unet.safetensors").read_bytes()
        self.kept = {path.stem: path.read_bytes() for path in out.glob("unet-*.safetensors")}
        self.notes = {title: dict(notes) for title, notes in defense.notes.items()}
        self.read = read
        """How often which pair was visited with which caption."""


@pytest.fixture
def trained(tiny_base, few, tmp_path) -> Callable[..., Trained]:
    """Prepares and trains as the stage does, under the defenses of these texts.

    `killed` is after how many pictures it is killed and started again from its checkpoint.
    """
    names = iter(range(1000))

    def run(
        *texts: str,
        killed: int = 0,
        recipe: Recipe = RECIPE,
        pairs: Pairs = few,
        auxiliary: Pairs | None = None,
    ) -> Trained:
        unseen = few.select([]) if auxiliary is None else auxiliary
        folder = tmp_path / f"training-{next(names)}"
        (folder / "out").mkdir(parents=True)
        (folder / "work").mkdir()

        def start(stop: int) -> Trained:
            defense = Composition([made(text) for text in texts])
            read: Counter[tuple[str, str]] = Counter()
            asked = defense.caption

            def heard(pair: str, caption: str, visit: int, context: Context) -> str:
                text = asked(pair, caption, visit, context)
                read[pair, text] += 1
                return text

            defense.caption = heard  # type: ignore[method-assign]
            ready = defense.prepare(pairs, Context(3, unseen))

            def progress(done: int, of: int, unit: str) -> None:
                if stop and unit == "pictures" and done >= stop:
                    raise Killed

            task = loop.Task(ready, recipe, "default", 3, unseen, defense)
            base = load_base(tiny_base)
            means = Means(checkpoint_seconds=0 if stop else 20)
            figures = loop.train(base, task, folder / "work", folder / "out", progress, means)
            json.dumps(defense.notes)  # as the manifest does
            return Trained(folder / "out", defense, read, figures)

        if killed:
            with pytest.raises(Killed):
                start(killed)
        return start(0)

    return run


@pytest.fixture
def trainers(monkeypatch: pytest.MonkeyPatch) -> list[Trainer]:
    """The trainers that have been made."""
    made_so_far: list[Trainer] = []

    class Kept(Trainer):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made_so_far.append(self)

    monkeypatch.setattr(loop, "Trainer", Kept)
    return made_so_far


@pytest.fixture
def recipe() -> Recipe:
    return RECIPE


@pytest.fixture
def undefended(trained) -> Trained:
    return trained("none")
