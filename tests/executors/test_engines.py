"""Ray and submitit give the bits of this machine's processes; a spent budget loses nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from diaries import Bench, entries
from seen import visible

from bench.errors import BudgetError
from bench.executors import local
from bench.executors.budget import Budget
from bench.executors.engine import DiedError
from bench.executors.executor import MANY, Executor
from bench.executors.needs import Needs
from bench.executors.slurm import _minutes
from bench.specs import Stage

ATTACKS = ("--attack", "loss", "--attack", "clid_th")
ENGINES = {
    "ray": ("--executor", "ray"),
    "submitit": ("--executor", "slurm", "--slurm", "cluster=local"),
}


@pytest.fixture
def bench(tmp_path: Path, tiny_words: tuple[Any, ...]) -> Bench:
    return Bench(tmp_path, (*tiny_words, *ATTACKS))


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_gives_the_same_bits_and_computes_every_stage_once(
    bench: Bench, ran: Any, engine: str
) -> None:
    process = bench.start(2, *ENGINES[engine], step_seconds=0)
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    assert out == ran.out
    assert entries(bench.store) == entries(ran.store)
    computed = bench.told("computed")
    assert len(computed) == len(set(computed)) == len(entries(bench.store))
    assert list((bench.store / "work").iterdir()) == []
    assert list((bench.store / "locks").iterdir()) == []
    assert not any((bench.store / "jobs").glob("*"))


def test_time_that_is_spent_ends_the_run_with_5_and_the_same_command_goes_on(
    bench: Bench, ran: Any
) -> None:
    process = bench.start(1, "--max-time", "12s", step_seconds=0.5)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 5, err
    assert out == ""
    told = [line for line in err.splitlines() if "--max-time is spent" in line]
    assert len(told) == 1
    assert "Traceback" not in err
    before = bench.told("computed")
    process = bench.start(2, "--max-time", "1h", step_seconds=0)
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    assert out == ran.out
    # Only the stages that were running are computed again.
    again = len(bench.told("computed")) - len(set(bench.told("computed")))
    assert before
    assert again <= 2


def test_memory_that_is_spent_ends_the_run_with_5(bench: Bench) -> None:
    process = bench.start(1, "--max-memory", "50MB")
    _, err = process.communicate(timeout=200)
    assert process.returncode == 5, err
    assert "--max-memory is spent" in err
    assert "Traceback" not in err


def test_what_ray_could_never_grant_here_is_told(bench: Bench) -> None:
    process = bench.start(1, "--executor", "ray", "--max-memory", "90TB")
    _, err = process.communicate(timeout=200)
    assert process.returncode == 2, err
    assert "no node of the Ray cluster has 1 CPU, 90000 GB, which" in err.splitlines()[-1]


def test_a_budget_within_its_means_says_nothing() -> None:
    Budget(3600.0, 1e3).check()
    Budget().check()
    with pytest.raises(BudgetError, match="fewer --workers"):
        Budget(gigabytes=1e-3).check()


@pytest.mark.parametrize(
    ("found", "workers", "processes", "expected"),
    [
        ([], 2, 1, []),
        (["0", "1"], 2, 1, ["0", "1"]),
        (["0", "1"], 3, 1, ["0", "1", "0"]),
        (["0", "1", "2", "3"], 2, 2, ["0,1", "2,3"]),
        (["GPU-a"], 1, 4, ["GPU-a"]),
    ],
)
def test_devices_are_dealt_to_workers(
    found: list[str], workers: int, processes: int, expected: list[str]
) -> None:
    assert local.dealt(found, workers, processes) == expected


def test_one_worker_a_device_sees_it_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(local.VISIBLE, "3,5")
    assert Executor().slots() == 2
    assert Executor().slots(processes=2) == 1
    assert Executor(workers=7).slots() == 7
    assert Executor("ray").slots() == MANY
    engine = local.Local(2, threaded=False)
    try:
        asked = [engine._pool.submit(visible, 3.0) for _ in range(2)]
        assert {future.result() for future in asked} == {"3", "5"}
    finally:
        engine.abandon()


def test_time_limits_are_few_and_have_room() -> None:
    assert [_minutes(seconds) for seconds in (0, 599, 601, 12 * 3600)] == [30, 30, 60, 3840]


def test_needs_tell_models_from_numbers() -> None:
    train, scores = Stage("train", {}), Stage("scores", {})
    assert Needs.of([train], 4, 1.0).devices == Needs.of([train], 4, 1.0).cores == 4
    assert Needs.of([scores], 4, 1.0).devices == 0
    assert Needs.of([scores], 4, 1.0).cores == 1


@pytest.mark.parametrize(
    ("died", "kind", "said"),
    [
        (DiedError(said="job 7 ended without a result"), BudgetError, "job 7"),
        (DiedError(-9), BudgetError, "out of memory?"),
    ],
)
def test_a_death_is_told_in_one_line(died: DiedError, kind: type, said: str) -> None:
    from bench.executors.running import _killed

    error = _killed(died)
    assert isinstance(error, kind)
    assert said in str(error)
    assert "\n" not in str(error)
