"""How long the command line takes to answer; figures are recorded, nothing is asserted of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pytest_benchmark")


@pytest.mark.parametrize(
    "words", [("--help",), ("list", "attacks"), ("list", "data")], ids=" ".join
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


def test_importing_the_public_names(benchmark: Any, tmp_path: Path) -> None:
    import subprocess
    import sys

    command = [sys.executable, "-c", "from bench import Attack, Defense"]
    root = Path(__file__).resolve().parents[2]
    benchmark.pedantic(
        subprocess.run, args=(command,), kwargs={"check": True, "cwd": root}, rounds=10
    )
