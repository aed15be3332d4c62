"""How long the command line takes to answer; figures are recorded, nothing is asserted of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pytest_benchmark")


@pytest.mark.parametrize(
    "words", [("--help",), ("list", "attacks"), ("list", "data"), ("config",)], ids=" ".join
)
def test_reading_verbs(benchmark: Any, shell: Callable[..., Any], words: tuple[str, ...]) -> None:
    ended = benchmark.pedantic(shell, args=words, rounds=10, warmup_rounds=1)
    assert ended.code == 0


def test_a_run_that_is_cached(benchmark: Any, shell: Callable[..., Any], ran: Any) -> None:
    words = ("run", *ran.words, "--attack", "loss", "--attack", "clid_th", "--store", ran.store)
    ended = benchmark.pedantic(shell, args=words, rounds=5, warmup_rounds=1)
    assert ended.out == ran.out


def test_a_plan_of_many_cells(benchmark: Any, shell: Callable[..., Any], ran: Any) -> None:
    words = ("plan", *ran.words, "--attack", "all", "--seeds", "0,1,2", "--store", ran.store)
    ended = benchmark.pedantic(shell, args=words, rounds=5, warmup_rounds=1)
    assert ended.code == 0


def test_a_plan_of_a_thousand_cells(
    benchmark: Any, shell: Callable[..., Any], tmp_path: Path
) -> None:
    """25 defenses x 10 attacks x 4 seeds: under a second on an idle core."""
    rates = "|".join(f"0.{k:02}" for k in range(2, 52, 2))
    times = "|".join(str(t) for t in range(100, 1000, 100))
    words = ("plan", "--defense", f"del[rate={rates}]", "--attack", f"loss[t={times}]")
    words += ("--attack", "clid_th", "--seeds", "0,1,2,3", "--store", tmp_path)
    ended = benchmark.pedantic(shell, args=words, rounds=5, warmup_rounds=1)
    assert ended.out.count("metrics (") == 1000


def test_importing_the_public_names(benchmark: Any, tmp_path: Path) -> None:
    import subprocess
    import sys

    command = [sys.executable, "-c", "from bench import Attack, Defense"]
    root = Path(__file__).resolve().parents[2]
    benchmark.pedantic(
        subprocess.run, args=(command,), kwargs={"check": True, "cwd": root}, rounds=10
    )
