"""Trainings of a second, killed half-way if asked for."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from bench.api import Context, Defense, Pairs
from bench.composition import Composition
from bench.models.base import load_base
from bench.training.loop import Task, train
from bench.training.means import Means
from bench.training.recipe import Recipe

RECIPE = Recipe(name="contract", epochs=2, batch=4, lr=1e-3, ema_decay=0.9, crop_margin=2)
SEED = 3


class KilledError(BaseException):
    """Ends a training in the middle."""


class Trained(NamedTuple):
    """What a training left behind."""

    weights: bytes
    notes: str
    prepared: Pairs


def trained(
    base: Path,
    make: Callable[[], Defense | None],
    members: Pairs,
    auxiliary: Pairs,
    killed: int = 0,
) -> Trained:
    """Prepares and trains as the stage does; `killed` after so many pictures, then taken up."""
    with tempfile.TemporaryDirectory() as folder:
        work, out = Path(folder, "work"), Path(folder, "out")
        work.mkdir()
        out.mkdir()

        def start(stop: int) -> Trained:
            defense = make()
            parts = Composition([] if defense is None else [defense])
            prepared = parts.prepare(members, Context(SEED, auxiliary))

            def progress(done: int, _of: int, unit: str) -> None:
                if stop and unit == "pictures" and done >= stop:
                    raise KilledError

            task = Task(prepared, RECIPE, "default", SEED, auxiliary, parts)
            train(load_base(base), task, work, out, progress, _means(stop))
            weights = (out / "unet.safetensors").read_bytes()
            return Trained(weights, json.dumps(parts.notes, sort_keys=True), prepared)

        if killed:
            try:
                return start(killed)
            except KilledError:
                pass
        return start(0)


def _means(stop: int) -> Means:
    """A checkpoint after every step of a training that will be killed."""
    given: dict[str, Any] = {"checkpoint_seconds": 0} if stop else {}
    return Means(**given)
