"""Run as a script: a training that is killed at random moments, and one that is not.

Everything is imported and loaded once; each training is a fork of that, so that kills find it at
work and not at its start.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import accelerate.optimizer  # noqa: F401 - imported by a training when it begins
import diffusers.training_utils  # noqa: F401
import torch

from bench.data import scenes
from bench.models.base import Base, load_base
from bench.training.loop import Task, train
from bench.training.means import Means
from bench.training.recipe import Recipe

KILLS = 20
RECIPE = Recipe(
    name="test", epochs=30, batch=4, accumulate=2, lr=1e-3, ema_decay=0.9, crop_margin=2, keep=(9,)
)


def trained(base: Base, work: Path, out: Path) -> None:
    """With a checkpoint after every step."""
    drawn = scenes.pairs()
    task = Task(drawn.select(drawn.ids[:10]), RECIPE, "default", 0, drawn.select([]))
    means = Means(checkpoint_seconds=0)
    train(base, task, work, out, lambda done, of, unit: None, means)


def started(base: Base, work: Path, out: Path) -> int:
    """The id of a process that trains there."""
    for folder in (work, out):
        folder.mkdir(exist_ok=True)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            trained(base, work, out)
            code = 0
        finally:
            os._exit(code)
    return child


def ended_within(child: int, seconds: float) -> bool:
    """Whether it ended well by itself in this time; if not, it is killed."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            assert status == 0
            return True
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def main(given: Path, folder: Path) -> None:
    """Leaves `whole`, and one folder each for trainings that were killed until they got through."""
    torch.set_num_threads(1)
    base = load_base(given)
    began = time.monotonic()
    assert ended_within(started(base, folder / "plain", folder / "whole"), 600)
    seconds = time.monotonic() - began
    moments, kills, seen, number = random.Random(0), 0, set(), 0
    while kills < KILLS:
        work, out = folder / f"work-{number}", folder / f"out-{number}"
        if ended_within(started(base, work, out), moments.uniform(0.05, 0.5) * seconds):
            number += 1
            continue
        kills += 1
        checkpoint = work / "checkpoint.safetensors"
        seen.add((number, checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0))
    work, out = folder / f"work-{number}", folder / f"out-{number}"
    assert ended_within(started(base, work, out), 600)
    print(kills, len(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
