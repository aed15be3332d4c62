"""SIGKILL at any moment, an interrupt, two runs at once: the numbers are those of a quiet run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from diaries import Bench, entries


@pytest.fixture
def bench(tmp_path: Path, tiny_words: tuple[Any, ...]) -> Bench:
    return Bench(tmp_path, (*tiny_words, "--attack", "loss", "--attack", "clid_th"))


def group_is_gone(group: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


CHECKPOINT = "work/*/*/checkpoint.safetensors"


def test_a_run_that_is_killed_again_and_again_gives_the_same_bits(bench: Bench, ran: Any) -> None:
    moments = random.Random(0)

    # Interrupted in the middle of a training that a thread of the parent does.
    process = bench.start(workers=1)
    bench.wait_for(process, CHECKPOINT)
    os.killpg(process.pid, signal.SIGINT)
    told_how_to_go_on(process)

    # Only the parent dies, after going on from there: its workers must follow by themselves.
    process = bench.start(workers=2)
    bench.wait_until(process, lambda: bench.told("resumed"))
    time.sleep(moments.uniform(0, 0.5))
    process.kill()
    process.communicate()
    assert group_is_gone(process.pid, seconds=30)

    # All of it dies at once, between or within the stages that follow.
    process = bench.start(workers=2, step_seconds=0.02)
    bench.wait_for(process, "stages/train/*")
    time.sleep(moments.uniform(0, 1))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()

    process = bench.start(workers=1, step_seconds=0)
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    assert out == ran.out
    assert entries(bench.store) == entries(ran.store)
    assert list((bench.store / "work").iterdir()) == []


def told_how_to_go_on(process: subprocess.Popen[str]) -> None:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert "bench resume" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert group_is_gone(process.pid, seconds=30)


@pytest.mark.parametrize("how", ["Ctrl-C to all", "kill of the parent"])
def test_an_interrupt_ends_the_workers_too(bench: Bench, how: str) -> None:
    process = bench.start(workers=2)
    bench.wait_for(process, "work/*/*/out")
    time.sleep(1)
    if how == "Ctrl-C to all":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.terminate()
    told_how_to_go_on(process)


def test_two_runs_at_once_compute_every_stage_once(bench: Bench, ran: Any) -> None:
    both = [bench.start(workers=1, step_seconds=0.02) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=500)
        assert process.returncode == 0, err
        assert out == ran.out
    computed = bench.told("computed")
    assert len(computed) == len(set(computed)) == len(entries(bench.store))


def test_a_run_that_is_frozen_is_taken_over_and_ends_well_when_it_wakes(
    bench: Bench, ran: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_SILENCE", "2")
    frozen = bench.start(workers=1, step_seconds=0.05)
    bench.wait_for(frozen, CHECKPOINT)
    os.killpg(frozen.pid, signal.SIGSTOP)
    other = bench.start(workers=1, step_seconds=0.05)
    bench.wait_until(other, lambda: bench.told("resumed"))
    os.killpg(frozen.pid, signal.SIGCONT)
    for process in (frozen, other):
        out, err = process.communicate(timeout=500)
        assert process.returncode == 0, err
        assert out == ran.out
    assert entries(bench.store) == entries(ran.store)
    assert list((bench.store / "work").iterdir()) == []
    assert list((bench.store / "locks").iterdir()) == []
    computed = bench.told("computed")
    assert len(computed) == len(set(computed)) + 1  # the training that both had begun


def cut_short(checkpoint: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:9])


def one_bit(checkpoint: Path) -> None:
    content = bytearray(checkpoint.read_bytes())
    content[-7] ^= 1
    checkpoint.write_bytes(content)


@pytest.mark.parametrize("damage", [cut_short, one_bit])
def test_a_damaged_checkpoint_is_no_obstacle_and_never_gone_on_from(
    tiny_base: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    from bench.composition import Composition
    from bench.models.base import load_base
    from bench.training.checkpoint import NAME, write
    from bench.training.recipe import RECIPES
    from bench.training.trainer import Trainer

    trainer = Trainer(load_base(tiny_base), RECIPES["quick"], seed=0)
    begun = {name: p.clone() for name, p in trainer.trained.items()}
    stored = {f"{what}.{name}": p + 1 for name, p in begun.items()
              for what in ("unet", "ema", "exp_avg", "exp_avg_sq", "step")}  # fmt: skip
    facts = {"batches": 7, "steps": 7, "stopped": False, "losses": [], "notes": {}}
    write(tmp_path, stored, facts)
    damage(tmp_path / NAME)
    trainer.resume(tmp_path, Composition())
    assert trainer.batches == 0
    assert all(p.equal(begun[name]) for name, p in trainer.trained.items())
    write(tmp_path, stored, facts)
    trainer.resume(tmp_path, Composition())
    assert trainer.batches == 7
