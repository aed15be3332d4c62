"""A `bench run` of the tiny words as processes of its own, with a diary of what they computed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
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
publish = work.Store.publish

def publish_and_tell(store, kind, key, *given):
    publish(store, kind, key, *given)
    note(f"stored {kind} {key}")

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
work.Store.publish = publish_and_tell
'''


class Bench:
    """`bench run` of the tiny words as a process group on one store, with a diary."""

    def __init__(self, folder: Path, words: tuple[Any, ...]) -> None:
        self.store, self.diary, self._words = folder / "store", folder / "diary", words
        (folder / "sitecustomize.py").write_text(STARTUP)
        self.diary.write_text("")
        self.out = ""
        """What a run printed that a test keeps for others."""
        self._paths = os.pathsep.join([str(folder), str(ROOT)])

    def start(
        self, workers: int, *more: object, step_seconds: float = 0.1
    ) -> subprocess.Popen[str]:
        words = [*self._words, *more, "--workers", workers, "--store", self.store]
        return subprocess.Popen(
            [sys.executable, "-m", "bench", "run", *map(str, words)],
            env=os.environ | self.environment(step_seconds),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # Where the tests run in the background, the interrupt is ignored and that is inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )

    def environment(self, step_seconds: float) -> dict[str, str]:
        """What makes a Python that is started with it keep the diary."""
        about = {"PYTHONPATH": self._paths, "DIARY": str(self.diary)}
        return about | {"STEP_SECONDS": str(step_seconds)}

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
