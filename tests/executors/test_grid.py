"""A grid of 24 cells: the same bits from every executor, and after 200 accidents."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import psutil
import pytest
from diaries import Bench, entries
from slurm_cluster import SlurmCluster, available

pytestmark = pytest.mark.slow

GRID = ("--defense", "del1", "--attack", "loss", "--attack", "pia", "--attack", "mc",
        "--attack", "clid_th", "--seeds", "0,1,2", "--samples", "8")  # fmt: skip
CELLS = 24
ACCIDENTS = 200
SILENCE = 3.0


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, tiny_words: tuple[Any, ...]) -> Bench:
    """The grid by two processes of this machine, undisturbed."""
    bench = Bench(tmp_path_factory.mktemp("quiet"), (*tiny_words, *GRID))
    process = bench.start(2, step_seconds=0)
    bench.out, err = process.communicate(timeout=1200)
    assert process.returncode == 0, err
    assert len(list(bench.store.glob("stages/metrics/*"))) == CELLS
    return bench


@contextmanager
def two_nodes() -> Iterator[list[object]]:
    """A Ray cluster of two nodes on this machine."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        yield ["--executor", "ray", "--address", cluster.address]
    finally:
        cluster.shutdown()


@contextmanager
def real_slurm() -> Iterator[list[object]]:
    """A Slurm of two nodes on this machine."""
    folder = Path("/tmp") / f"slurm-{os.getpid()}"  # sockets need a short path
    folder.mkdir()
    with SlurmCluster(folder):
        yield ["--executor", "slurm", "--slurm", "slurm_partition=all"]


ENGINES = {
    "ray": two_nodes,
    "slurm": pytest.param(
        real_slurm, marks=pytest.mark.skipif(available() is not None, reason=str(available()))
    ),
    "submitit": lambda: nullcontext(["--executor", "slurm", "--slurm", "cluster=local"]),
}


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES.keys())
def test_every_executor_gives_the_same_bits_and_computes_every_stage_once(
    tmp_path: Path,
    tiny_words: tuple[Any, ...],
    quiet: Bench,
    engine: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(tmp_path, (*tiny_words, *GRID))
    for name, value in bench.environment(step_seconds=0).items():
        monkeypatch.setenv(name, value)  # workers of a cluster have the environment of its start
    with engine() as words:
        process = bench.start(4, *words, step_seconds=0)
        out, err = process.communicate(timeout=2400)
    assert process.returncode == 0, err
    assert out == quiet.out
    assert entries(bench.store) == entries(quiet.store)
    computed = bench.told("computed")
    assert len(computed) == len(set(computed)) == len(entries(bench.store))
    clean(bench)


def test_two_hundred_accidents_cost_nothing_but_time(
    tmp_path: Path,
    tiny_words: tuple[Any, ...],
    quiet: Bench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Workers and runs are killed and frozen, files are altered; another seed each time it is run.

    BENCH_ACCIDENTS says how many, BENCH_ACCIDENT_SEED repeats those of a run that failed.
    """
    monkeypatch.setenv("BENCH_SILENCE", str(SILENCE))
    seed = int(os.environ.get("BENCH_ACCIDENT_SEED") or time.time())
    print(f"BENCH_ACCIDENT_SEED={seed}")
    bench, chance = Bench(tmp_path, (*tiny_words, *GRID)), random.Random(seed)
    left = int(os.environ.get("BENCH_ACCIDENTS") or ACCIDENTS)
    altered: set[str] = set()
    while left > 0:
        # One run with two workers, or two runs that share the store and take over from each other.
        workers = chance.choice([[2], [1, 1]])
        runs = [bench.start(number, step_seconds=0.01) for number in workers]
        while left > 0 and any(run.poll() is None for run in runs):
            time.sleep(chance.uniform(0.2, 4))
            left -= happened(chance.choice(runs), chance)
        for run in runs:
            end_all(run)
        if left > 0 and chance.random() < 0.3:
            altered |= alter(bench.store, chance)
            left -= 1
    process = bench.start(2, step_seconds=0)
    out, err = process.communicate(timeout=1200)
    assert process.returncode == 0, err
    assert out == quiet.out
    assert entries(bench.store) == entries(quiet.store)
    clean(bench)
    never_again_once_stored(bench, altered)


def happened(process: subprocess.Popen[str], chance: random.Random) -> int:
    """Something happens to the run or to one of its workers; how many accidents that was."""
    try:
        mine = psutil.Process(process.pid)
        workers = [one for one in mine.children() if "spawn_main" in " ".join(one.cmdline())]
        victim = chance.choice([mine, *workers * 3]) if workers else mine
        if victim is mine or chance.random() < 0.8:
            victim.kill()
        else:
            victim.suspend()
            time.sleep(chance.uniform(0, 2 * SILENCE))
            victim.resume()
    except psutil.NoSuchProcess:
        return 0
    return 1


def end_all(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)


def alter(store: Path, chance: random.Random) -> set[str]:
    """Changes a bit of a file of a finished stage, or cuts it short; the stage's key."""
    files = sorted(path for path in store.glob("stages/*/*/*") if path.stat().st_size)
    if not files:
        return set()
    path = chance.choice(files)
    content = bytearray(path.read_bytes())
    if chance.random() < 0.5:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    else:
        del content[chance.randrange(len(content)) :]
    path.write_bytes(content)
    return {path.parent.name}


def clean(bench: Bench) -> None:
    """No scratch, no claim, nobody at work."""
    assert list((bench.store / "work").iterdir()) == []
    assert list((bench.store / "locks").iterdir()) == []


def never_again_once_stored(bench: Bench, altered: set[str]) -> None:
    """A stage is computed again only if it was not stored, or its files were altered since."""
    stored: set[str] = set()
    for line in bench.diary.read_text().splitlines():
        what, *about = line.split()
        if what == "stored":
            stored.add(about[1])
        elif what == "computed":
            assert about[1] not in stored - altered, line
