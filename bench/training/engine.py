"""Accelerate as a training uses it: precision, accumulation, processes, trackers."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from bench.errors import UsageError, unknown
from bench.training.means import Means
from bench.training.recipe import Recipe

TRACKERS = {"tensorboard": "tensorboard"}
"""What may watch a training, and the package it takes."""


def accelerator(recipe: Recipe, device: str, means: Means) -> Any:
    """An Accelerator of its own; UsageError if it cannot do what the recipe asks for."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    check_precision(recipe, device)
    # Accelerate knows one precision a process; a worker trains by one recipe after another.
    AcceleratorState._reset_state()
    made = Accelerator(
        mixed_precision=recipe.precision,
        gradient_accumulation_steps=recipe.accumulate,
        cpu=device == "cpu",
        log_with=list(means.trackers) or None,
        project_dir=means.tracks,
    )
    if means.trackers:
        made.init_trackers("training", config={"recipe": recipe.name, "lr": recipe.lr})
    return made


def check_precision(recipe: Recipe, device: str) -> None:
    """UsageError if models cannot be trained in the recipe's precision on this kind of device."""
    if recipe.precision != "fp16":
        return
    if device == "cpu":
        raise UsageError(
            f"recipe {recipe.name} trains in fp16, which takes a GPU, and none is visible; "
            "--recipe modern (bf16) runs on a CPU too"
        )
    if recipe.sample_clip is not None:
        raise UsageError(
            f"recipe {recipe.name} trains in fp16, whose loss scaling DP-SGD's clipping of single "
            "pairs does not know; take --recipe modern (bf16)"
        )


def check_trackers(names: list[str]) -> None:
    """UsageError for a tracker that is not known or not installed."""
    for name in names:
        if name not in TRACKERS:
            raise unknown("tracker", name, TRACKERS)
        if find_spec(TRACKERS[name]) is None:
            raise UsageError(
                f"--track {name} needs the package {TRACKERS[name]}: "
                "pip install 't2i-defense-bench[trackers]'"
            )
