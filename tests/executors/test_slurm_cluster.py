"""Slurm and submitit as they really are: what an executor on them may rely on."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from slurm_cluster import SlurmCluster, available

submitit = pytest.importorskip("submitit")

pytestmark = pytest.mark.skipif(available() is not None, reason=str(available()))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    with SlurmCluster(tmp_path_factory.mktemp("slurm")) as running:
        yield running


@pytest.fixture
def executor(cluster: SlurmCluster, tmp_path: Path) -> Any:
    """Its folder is new each time: a result left there by a job of the same number counts."""
    made = submitit.AutoExecutor(tmp_path / "jobs", cluster="slurm")
    made.update_parameters(timeout_min=1, slurm_partition="all", slurm_signal_delay_s=5)
    return made


def counting(diary: Path, upto: int) -> Callable[[], int]:
    """Counts, two a second; asked for a checkpoint it goes on from there. Pickled by value."""

    class Count:
        def __init__(self, at: int) -> None:
            self.at = at

        def __call__(self) -> int:
            with diary.open("a") as lines:
                lines.write(f"{self.at}\n")
            while self.at < upto:
                time.sleep(0.5)
                self.at += 1
            return self.at

        def checkpoint(self) -> Any:
            return submitit.helpers.DelayedSubmission(Count(self.at))

    return Count(0)


def wait_until(true: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def starts(diary: Path) -> list[int]:
    """Where the count stood each time the job was started."""
    return [int(line) for line in diary.read_text().split()] if diary.exists() else []


def result(job: Any, seconds: float = 60) -> Any:
    """Not `job.result()` alone, which never gives up where there is no accounting."""
    wait_until(job.paths.result_pickle.exists, seconds)
    return job.result()


def ended(cluster: SlurmCluster, job: Any) -> str:
    over = ("COMPLETED", "FAILED", "CANCELLED")
    wait_until(lambda: cluster.state(job.job_id) in over)
    return cluster.state(job.job_id)


def test_an_array_gives_its_results(cluster: SlurmCluster, executor: Any) -> None:
    executor.update_parameters(cpus_per_task=2, gpus_per_node=1, slurm_mem="1GB")
    jobs = executor.map_array(lambda a, b: a + b, [1, 2, 3], [10, 20, 30])
    assert [result(job) for job in jobs] == [11, 22, 33]
    assert [ended(cluster, job) for job in jobs] == ["COMPLETED"] * 3
    assert {job.job_id.partition("_")[0] for job in jobs} == {jobs[0].job_id.partition("_")[0]}


def test_a_killed_process_leaves_no_result_and_only_squeue_tells(
    cluster: SlurmCluster, executor: Any
) -> None:
    job = executor.submit(lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert ended(cluster, job) == "FAILED"
    assert not job.paths.result_pickle.exists()
    # Without accounting submitit would wait for ever: `sacct` fails, and it takes that for unknown.
    assert job.watcher.get_state(job.job_id, mode="force") == "UNKNOWN"
    assert not job.done()


@pytest.mark.slow
def test_a_timeout_takes_a_checkpoint_and_goes_on_from_it(
    cluster: SlurmCluster, executor: Any, tmp_path: Path
) -> None:
    job = executor.submit(counting(tmp_path / "diary", upto=150))  # 75 s, and it may take 60
    assert result(job, seconds=240) == 150
    first, second = starts(tmp_path / "diary")
    assert first == 0
    assert second > 20


@pytest.mark.slow
def test_who_is_preempted_takes_a_checkpoint_and_goes_on_from_it(
    cluster: SlurmCluster, executor: Any, tmp_path: Path
) -> None:
    diary = tmp_path / "diary"
    job = executor.submit(counting(diary, upto=12))
    wait_until(lambda: starts(diary))
    time.sleep(2)
    executor.update_parameters(
        nodes=2, slurm_partition="urgent", slurm_exclusive=True, slurm_use_srun=False
    )
    urgent = executor.submit(time.sleep, 1)
    assert result(job) == 12
    assert ended(cluster, urgent) == "COMPLETED"
    first, second = starts(diary)
    assert (first, second > 0) == (0, True)


@pytest.mark.slow
def test_who_is_requeued_from_outside_starts_again_as_submitted(
    cluster: SlurmCluster, executor: Any, tmp_path: Path
) -> None:
    """No checkpoint is asked for: SIGTERM is passed over, then it is killed."""
    diary = tmp_path / "diary"
    job = executor.submit(counting(diary, upto=10))
    wait_until(lambda: starts(diary))
    subprocess.run(["scontrol", "requeue", job.job_id], check=True)
    assert result(job) == 10
    assert starts(diary) == [0, 0]


def test_a_cancelled_job_is_gone(cluster: SlurmCluster, executor: Any, tmp_path: Path) -> None:
    job = executor.submit(counting(tmp_path / "diary", upto=1000))
    wait_until(lambda: starts(tmp_path / "diary"))
    job.cancel()
    assert ended(cluster, job) == "CANCELLED"
    assert not job.paths.result_pickle.exists()


def test_nothing_is_left_of_a_cluster(tmp_path_factory: pytest.TempPathFactory) -> None:
    before = os.environ.get("SLURM_CONF")
    with SlurmCluster(tmp_path_factory.mktemp("slurm")) as brief:
        hides = "(setsid sleep 300 &) ; exec sleep 300"
        brief.ask("sbatch", "--output=/dev/null", f"--wrap={hides}")
        wait_until(lambda: brief.state("1") == "RUNNING")
        assert len(brief.left()) > len(("munged", "slurmctld", "slurmd", "slurmd"))
    assert brief.left() == []
    assert os.environ.get("SLURM_CONF") == before
