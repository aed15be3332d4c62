"""What it costs to run many cells beside what the cells cost: plan, hand-out, workers, memory."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from cells import cell, component

from bench.estimates import Estimator
from bench.executors.executor import Executor, run
from bench.executors.frontier import Frontier
from bench.pipeline import all_stages
from bench.plan import missing
from bench.specs import Stage
from bench.store import Store

THREADS = 40


def grid(seeds: int):
    """25 defenses under 10 attacks on so many seeds, as one request makes them."""
    attacks = [component(f"attack{number}") for number in range(10)]
    defenses = [component(f"defense{number}") for number in range(25)]
    first = cell()
    return [
        first.model_copy(update={"attack": attack, "defense": defense, "seed": seed})
        for seed in range(seeds)
        for defense in defenses
        for attack in attacks
    ]


@pytest.mark.benchmark(group="scheduling")
def test_plan_of_10_000_cells(benchmark, tmp_path: Path) -> None:
    """From cells to stages and the sum of what they take: under 2 s on an idle core."""
    store, cells = Store(tmp_path / "store"), grid(40)

    def plan() -> str:
        stages = all_stages(cells)
        estimator = Estimator(store)
        return estimator.total(stages, estimator.wanted(stages), 2)

    benchmark.pedantic(plan, rounds=3)
    assert "stages to compute" in plan()


@pytest.mark.benchmark(group="scheduling")
def test_handing_out_the_stages_of_1_000_cells(benchmark) -> None:
    """Each stage costs the same however many there are."""
    stages = all_stages(grid(4))

    def walk() -> int:
        frontier, handed = Frontier(stages), 0
        while frontier:
            for group in frontier.groups(2, lambda group: False, idle=True):
                frontier.take(group)
                for stage in group:
                    frontier.stored(stage)
                    handed += 1
        return handed

    benchmark.pedantic(walk, rounds=3)
    assert walk() == len(stages)


@pytest.mark.benchmark(group="scheduling")
def test_a_cached_cell(benchmark, tmp_path: Path) -> None:
    """To see that 1,000 cells are stored, digests checked: under 50 ms a cell."""
    store, ends = Store(tmp_path / "store"), []
    for number in range(1000):
        stage = Stage("metrics", {"number": number})
        made = store.work(stage.key) / "x" / "out"
        made.mkdir(parents=True)
        (made / "figures.json").write_bytes(b"0" * 2000)
        store.publish(stage.kind, stage.key, stage.spec, made, {"auc": 0.5}, {"seconds": 1.0})
        ends.append(stage)
    benchmark.pedantic(lambda: missing(store, ends, print), rounds=3)
    assert missing(store, ends, print) == []


@pytest.mark.benchmark(group="scheduling")
@pytest.mark.parametrize("cells", [250, 2500])
def test_memory_a_cell(benchmark, cells: int) -> None:
    """Bytes that the graph of a cell holds; the same a cell for ten times the cells."""

    def held() -> float:
        tracemalloc.start()
        stages = all_stages(grid(cells // 250))
        size = tracemalloc.get_traced_memory()[0] / cells
        tracemalloc.stop()
        assert stages
        return size

    benchmark.extra_info["bytes_a_cell"] = round(held())
    benchmark.pedantic(held, rounds=1)


class Silent:
    """A watcher that is told and says nothing."""

    def started(self, together): ...
    def finished(self, stage, seconds): ...
    def failed(self, stage, error):
        raise AssertionError(error)

    def returned(self, stage): ...
    def awaited(self, stage): ...

    def freed(self, stage): ...

    def tick(self): ...


class Clock(Silent):
    """When stages ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def finished(self, stage, seconds):
        self.ends.append(time.perf_counter())


def splits(count: int, folder: Path) -> float:
    """Seconds a stage of one thread takes so many workers, once each has started and done one."""
    from bench.data import scenes

    stages = [
        Stage("split", {"data": scenes.identity(seed=0, n=3000), "seed": seed,
                        "shadow": "disjoint"}, hints={"data": "scenes:n=3000"})
        for seed in range(THREADS)
    ]  # fmt: skip
    clock = Clock()
    assert run(stages, Store(folder), Executor(workers=count), clock, apart=True) == {}
    begun = clock.ends[2 * count - 1]
    return (clock.ends[-1] - begun) / (THREADS - 2 * count)


def counts(count: int) -> float:
    """Seconds that so many processes take which only count, each as far as one alone."""
    code = "x = 0\nfor i in range(60_000_000): x += i"
    began = time.perf_counter()
    counting = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(count)]
    assert [one.wait() for one in counting] == [0] * count
    return time.perf_counter() - began


@pytest.mark.benchmark(group="scheduling")
def test_two_workers_against_one(benchmark, tmp_path: Path) -> None:
    """Stages that use one thread each: at least 1.7 times as many in a time.

    Beside it what the machine gives two processes that share nothing, at the same minute.
    """
    ratios: list[float] = []
    machine: list[float] = []

    def both() -> None:
        number = len(ratios)
        alone, two = (splits(n, tmp_path / f"{number}-{n}") for n in (1, 2))
        ratios.append(round(alone / two, 2))
        machine.append(round(2 * counts(1) / counts(2), 2))

    benchmark.pedantic(both, rounds=3)
    benchmark.extra_info |= {"throughput": ratios, "of the machine": machine}
