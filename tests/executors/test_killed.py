"""SIGKILL at any moment, an interrupt, two runs at once: the numbers are those of a quiet run."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
STARTUP = '''
"""Read by every Python that starts here: slow steps, frequent checkpoints, and a diary."""
import os, time
import bench.executors.work as work
import bench.training.loop as loop
import bench.training.means as means

def note(line):
    with open(os.environ["DIARY"], "a") as diary:
        diary.write(line + "\\n")

resume, step, stage_function = loop.Trainer.resume, loop.Trainer.step, work.stage_function

def resume_and_tell(trainer, folder, defense):
    resume(trainer, folder, defense)
    if trainer.batches:
        note(f"resumed at {trainer.batches}")

def slow_step(trainer, *given, **named):
    time.sleep(float(os.environ["STEP_SECONDS"]))
    return step(trainer, *given, **named)

def counted(kind):
    def run(job):
        note(f"computed {kind} {job.work.parent.name}")
        return stage_function(kind)(job)
    return run

means.CHECKPOINT_SECONDS = 0.1
loop.Trainer.resume, loop.Trainer.step, work.stage_function = resume_and_tell, slow_step, counted
'''


class Bench:
    """`bench run` of the tiny words as a process group on one store, with a diary."""

    def __init__(self, folder: Path, words: tuple[Any, ...]) -> None:
        self.store, self.diary, self._words = folder / "store", folder / "diary", words
        (folder / "sitecustomize.py").write_text(STARTUP)
        self.diary.write_text("")
        self._paths = os.pathsep.join([str(folder), str(ROOT)])

    def start(self, workers: int, step_seconds: float = 0.1) -> subprocess.Popen[str]:
        words = [*self._words, "--attack", "loss", "--attack", "clid_th"]
        words += ["--workers", workers, "--store", self.store]
        return subprocess.Popen(
            [sys.executable, "-m", "bench", "run", *map(str, words)],
            env=os.environ
            | {"PYTHONPATH": self._paths, "DIARY": str(self.diary)}
            | {"STEP_SECONDS": str(step_seconds)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # Where the tests run in the background, the interrupt is ignored and that is inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )

    def wait_for(self, process: subprocess.Popen[str], pattern: str) -> None:
        """Until such a file is in the store."""
        self.wait_until(process, lambda: any(self.store.glob(pattern)))

    def wait_until(self, process: subprocess.Popen[str], true: Callable[[], Any]) -> None:
        end = time.monotonic() + 300
        while not true():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.02)

    def told(self, word: str) -> list[str]:
        return [line for line in self.diary.read_text().splitlines() if line.startswith(word)]


def entries(store: Path) -> dict[str, dict[str, str]]:
    """Digests of the artefacts of every finished stage."""
    found = store.glob("stages/*/*/record.json")
    return {p.parent.name: json.loads(p.read_text())["files"] for p in found}


@pytest.fixture
def bench(tmp_path: Path, tiny_words: tuple[Any, ...]) -> Bench:
    return Bench(tmp_path, tiny_words)


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
