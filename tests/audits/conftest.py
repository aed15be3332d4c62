"""Pairs in folders, and models that somebody else might have trained on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from folders import write_pairs

from bench.data import scenes
from bench.models.base import load_base
from bench.training.loop import Task, train
from bench.training.recipe import Recipe

N = 40
"""Pairs a side."""


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
    """`unet.safetensors` of the base after far too many visits of the members."""
    from bench.composition import Composition
    from bench.data.sources import open_source
    from bench.plugins import instantiate, resolve

    out, work = (tmp_path_factory.mktemp(name) for name in ("leaky", "leaky-work"))
    pairs = open_source(f"folder:{sides['members']}").pairs()
    recipe = Recipe(name="long", epochs=300, batch=8, lr=3e-3, ema_decay=0.9)
    none = Composition([instantiate("defense", resolve("defense", "none"))])
    task = Task(pairs, recipe, "none", 0, pairs.select([]), none)
    train(load_base(tiny_base), task, work, out, lambda done, of, unit: None)
    return out / "unet.safetensors"


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
