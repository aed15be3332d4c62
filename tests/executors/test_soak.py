"""A thousand tiny cells in one run: all of them come out, and memory stays what it was."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from diaries import Bench, entries

pytestmark = pytest.mark.slow

TIMES, SEEDS = 250, 4
CELLS = TIMES * SEEDS
GROWTH = 1.15
"""What memory may be after the second half of the cells, of what it was after the first."""


def test_a_thousand_cells_in_one_run(
    tmp_path: Path, tiny_words: tuple[Any, ...], shell: Any
) -> None:
    times = "|".join(str(t) for t in range(1, TIMES + 1))
    grid = ("--attack", f"loss[t={times}]", "--seeds", ",".join(map(str, range(SEEDS))),
            "--samples", "8")  # fmt: skip
    bench = Bench(tmp_path, (*tiny_words, *grid))
    process = bench.start(2, step_seconds=0)
    held: list[tuple[int, int]] = []
    while True:
        try:
            out, err = process.communicate(timeout=1)
            break
        except subprocess.TimeoutExpired:
            held += memory(process, bench.store)
    assert process.returncode == 0, err
    assert len([line for line in out.splitlines() if line.startswith("none ")]) >= TIMES
    computed = bench.told("computed")
    assert len(computed) == len(set(computed)) == len(entries(bench.store))
    assert list((bench.store / "locks").iterdir()) == []
    assert list((bench.store / "work").iterdir()) == []
    early = max(size for cells, size in held if CELLS / 4 <= cells < CELLS / 2)
    late = max(size for cells, size in held if cells >= CELLS / 2)
    assert late < GROWTH * early, (early, late)
    began = time.monotonic()
    again = shell("run", *tiny_words, *grid, "--store", bench.store, "--format", "json")
    print(f"{(time.monotonic() - began) / CELLS * 1000:.1f} ms a cached cell, printing included")
    assert again.code == 0, again.err
    assert len(json.loads(again.out)["rows"]) == TIMES


def memory(process: subprocess.Popen[str], store: Path) -> list[tuple[int, int]]:
    """(finished cells, bytes of the run and its workers together); nothing where one has ended."""
    cells = sum(1 for _ in store.glob("stages/metrics/*"))
    try:
        run = psutil.Process(process.pid)
        family = [run, *run.children(recursive=True)]
        return [(cells, sum(one.memory_info().rss for one in family))]
    except psutil.NoSuchProcess:
        return []
