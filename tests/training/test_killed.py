"""SIGKILL at twenty random moments: the weights are those of a training that nobody disturbed."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time

import pytest

from bench.data import scenes
from bench.models.base import load_base
from bench.training.loop import Task, train
from bench.training.means import Means
from bench.training.recipe import Recipe

KILLS = 20
RECIPE = Recipe(
    name="test", epochs=30, batch=4, accumulate=2, lr=1e-3, ema_decay=0.9, crop_margin=2, keep=(9,)
)


def trained(base, work, out):
    """One training, with a checkpoint after every step."""
    drawn = scenes.pairs()
    pairs = drawn.select(drawn.ids[:10])
    task = Task(pairs, RECIPE, "default", 0, pairs)
    means = Means(checkpoint_seconds=0)
    train(load_base(base), task, work, out, lambda done, of, unit: None, means)


@pytest.mark.slow
def test_twenty_kills_leave_no_trace(tiny_base, tmp_path):
    # Children of a server that has everything imported: a kill may come early in the training.
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload([__name__])
    for name in ("whole", "out", "work", "plain"):
        (tmp_path / name).mkdir()

    def start(work, out):
        process = server.Process(target=trained, args=(tiny_base, tmp_path / work, tmp_path / out))
        process.start()
        return process

    began = time.monotonic()
    quiet = start("plain", "whole")
    quiet.join()
    assert quiet.exitcode == 0
    seconds = time.monotonic() - began

    moments, killed, seen = random.Random(0), 0, set()
    while killed < KILLS:
        process = start("work", "out")
        process.join(moments.uniform(0.2, 0.3) * seconds)
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            killed += 1
            checkpoint = tmp_path / "work" / "checkpoint.safetensors"
            seen.add(checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0)
        else:  # it got through: once more from the start, for the kills that are left
            assert process.exitcode == 0
            compare(tmp_path)
            for path in [*(tmp_path / "work").iterdir(), *(tmp_path / "out").iterdir()]:
                path.unlink()
    assert len(seen) > KILLS // 2  # they went on from different checkpoints
    last = start("work", "out")
    last.join()
    assert last.exitcode == 0
    compare(tmp_path)


def compare(folder):
    """Both trainings wrote the same files."""
    whole = {path.name: path.read_bytes() for path in (folder / "whole").iterdir()}
    assert set(whole) == {"unet.safetensors", "unet-0009.safetensors"}
    assert {path.name: path.read_bytes() for path in (folder / "out").iterdir()} == whole
