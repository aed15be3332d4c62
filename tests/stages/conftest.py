"""Stages run alone: a specification, folders for what they read, a folder for what they write."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bench.data import scenes
from bench.data.pairs import Pairs
from bench.models.base import base_identity
from bench.plugins import resolve
from bench.stages import stage_function
from bench.stages.held import forget
from bench.stages.job import Job


class Done(NamedTuple):
    """What a stage gave back, and the folder it wrote, as the next one reads it."""

    result: dict[str, Any]
    folder: Path


@pytest.fixture(scope="session")
def scene_pairs() -> Pairs:
    return scenes.pairs()


@pytest.fixture(scope="session")
def parts(scene_pairs) -> dict[str, list[str]]:
    """A split of a few scenes, in no particular order."""
    names = ("members", "holdouts", "shadow_members", "shadow_holdouts", "auxiliary", "reference")
    ids = scene_pairs.ids[:48]
    return {name: list(ids[5 - i :: 6][::-1]) for i, name in enumerate(names)}


@pytest.fixture
def write(tmp_path) -> Callable[[str, dict[str, Any]], Path]:
    """A finished stage's folder with this result."""

    def make(name: str, result: dict[str, Any]) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        spec = {"params": {"data": scenes.identity()}}
        (folder / "record.json").write_text(json.dumps({"result": result, "spec": spec}))
        return folder

    return make


@pytest.fixture
def split(write, parts) -> Path:
    return write("split", parts)


@pytest.fixture
def run(write, tiny_base, tmp_path) -> Callable[..., Done]:
    """Runs a stage; attack and defense by name, the rest of its parameters as they are."""
    numbers = iter(range(1000))

    def call(
        kind: str,
        inputs: dict[str, Path],
        *,
        work: Path | None = None,
        clip_folder: Path | None = None,
        weights: Path | None = None,
        **params: Any,
    ) -> Done:
        hints = {"data": "scenes", "base": str(tiny_base)}
        hints["inception"] = weights and str(weights)
        hints["clip"] = clip_folder and str(clip_folder)
        for role in ("attack", "defense"):
            if role in params:
                component = resolve(role, params[role])
                # As a worker gets it: through JSON.
                params[role] = json.loads(json.dumps(component.identity()))
                hints[role] = component.paths() if role == "defense" else component.path
        params.setdefault("base", base_identity(tiny_base))
        name = f"{kind}-{next(numbers)}"
        out = tmp_path / name
        work = work or tmp_path / f"{name}-work"
        for folder in (out, work):
            folder.mkdir(parents=True, exist_ok=True)
        job = Job(kind, params, hints, inputs, work, out, lambda done, of, unit: None)
        result = json.loads(json.dumps(stage_function(kind)(job), allow_nan=False))
        forget()
        return Done(result, write(name, result))

    return call
